/** `GET /healthz`: whether the Worker answers, and could do what it is asked for. */
import * as v from 'valibot';
import { hasSchema } from '../../../shared/d1/schema-version.ts';
import { readSettings } from '../../../shared/settings.ts';
import { ApiError, schemaMissing } from '../../api-error.ts';
import type { AppContext } from '../context.ts';
import { json, openOperation } from '../operation.ts';

const Health = v.object({ status: v.literal('ok') });

export const healthOperations = [
  openOperation({
    id: 'getHealth',
    method: 'get',
    path: '/healthz',
    summary: 'Whether the control plane answers',
    description:
      'Also whether its settings are right and its database has the schema: else 503, with what to do. That D1 has it is asked once by each isolate of the Worker, not with each call.',
    responses: { 200: json(Health, 'It does.') },
    handle: async ({ c }) => {
      requireSettings(c);
      await requireSchema(c);
      return c.json<v.InferOutput<typeof Health>>({ status: 'ok' });
    },
  }),
];

/** Those that have said so. A schema that is there stays: migrations only add. */
const withSchema = new WeakSet<D1Database>();

/** Monitors ask often: a database that has its schema is not asked again. @throws ApiError `unavailable` */
async function requireSchema(c: AppContext): Promise<void> {
  const { DB } = c.env;
  if (withSchema.has(DB)) return;
  if (!(await hasSchema(DB))) throw schemaMissing();
  withSchema.add(DB);
}

/** Without them no object comes up: no wrapper could connect, and no kill be delivered. @throws ApiError `unavailable` */
function requireSettings(c: AppContext): void {
  try {
    readSettings(c.env);
  } catch (error) {
    // It says which settings are wrong.
    throw new ApiError('unavailable', error instanceof Error ? error.message : String(error));
  }
}

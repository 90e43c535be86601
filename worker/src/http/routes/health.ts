/** `GET /healthz`: whether the control plane works. */
import * as v from 'valibot';
import { version } from '../../../../package.json';
import { isAnswering } from '../../../shared/d1/health.ts';
import { hasSchema } from '../../../shared/d1/schema-version.ts';
import { readSettings } from '../../../shared/settings.ts';
import { ApiError, databaseUnavailable, schemaMissing } from '../../api-error.ts';
import type { AppContext } from '../context.ts';
import { json, openOperation } from '../operation.ts';

const Health = v.object({
  status: v.literal('ok'),
  version: v.pipe(v.string(), v.description('Of this control plane, and of the wrapper that it serves.')),
});

export const healthOperations = [
  openOperation({
    id: 'getHealth',
    method: 'get',
    path: '/healthz',
    summary: 'Check the health of the control plane',
    description:
      'Says which version of Leash the control plane is. Also checks the settings and the schema of the database. If one is wrong, the status is 503 and `detail` says what to do. Each isolate of the Worker checks the schema once, not with each call. With `?deep` the database is asked with each call: 503 with `Retry-After` if it does not answer.',
    query: {
      deep: v.optional(v.pipe(v.literal(''), v.description('Give it without a value: ask the database, too.'))),
    },
    responses: { 200: json(Health, 'The control plane works.') },
    handle: async ({ c, query }) => {
      requireSettings(c);
      if (query.deep !== undefined && !(await isAnswering(c.env.DB))) throw databaseUnavailable();
      await requireSchema(c);
      return c.json<v.InferOutput<typeof Health>>({ status: 'ok', version });
    },
  }),
];

/** Databases that have the schema. Migrations only add to it. */
const withSchema = new WeakSet<D1Database>();

/** Monitors call often: D1 is asked only until it has the schema. @throws ApiError `unavailable` */
async function requireSchema(c: AppContext): Promise<void> {
  const { DB } = c.env;
  if (withSchema.has(DB)) return;
  if (!(await hasSchema(DB))) throw schemaMissing();
  withSchema.add(DB);
}

/** With wrong settings no object starts: no wrapper connects, and no kill is delivered. @throws ApiError `unavailable` */
function requireSettings(c: AppContext): void {
  try {
    readSettings(c.env);
  } catch (error) {
    throw new ApiError('unavailable', error instanceof Error ? error.message : String(error));
  }
}

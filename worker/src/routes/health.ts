/** `GET /healthz`: whether the Worker answers, and could do what it is asked for. */
import * as v from 'valibot';
import { readSettings } from '../../settings.ts';
import { json, openOperation } from '../api/operation.ts';
import type { AppContext } from '../context.ts';
import { ApiError } from '../problem-response.ts';

const Health = v.object({ status: v.literal('ok') });

export const healthOperations = [
  openOperation({
    id: 'getHealth',
    method: 'get',
    path: '/healthz',
    summary: 'Whether the control plane answers',
    answers: { 200: json(Health, 'It does.') },
    handle: ({ c }) => {
      requireSettings(c);
      return c.json<v.InferOutput<typeof Health>>({ status: 'ok' });
    },
  }),
];

/** Without them no object comes up: no wrapper could connect, and no kill be delivered. @throws ApiError `unavailable` */
function requireSettings(c: AppContext): void {
  try {
    readSettings(c.env);
  } catch (error) {
    // It says which settings are wrong.
    throw new ApiError('unavailable', error instanceof Error ? error.message : String(error));
  }
}

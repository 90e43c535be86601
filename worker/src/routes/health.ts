/** `GET /healthz`: whether the Worker answers at all. */
import * as v from 'valibot';
import { json, openOperation } from '../api/operation.ts';

const Health = v.object({ status: v.literal('ok') });

export const healthOperations = [
  openOperation({
    id: 'getHealth',
    method: 'get',
    path: '/healthz',
    summary: 'Whether the control plane answers',
    answers: { 200: json(Health, 'It does.') },
    handle: ({ c }) => c.json<v.InferOutput<typeof Health>>({ status: 'ok' }),
  }),
];

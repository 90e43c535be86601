/** `GET /index`: how full the index is. */
import type * as v from 'valibot';
import { IndexBody } from '#protocol/api';
import { indexBytes, indexLimits } from '../../../shared/d1/index-size.ts';
import { readSettings } from '../../../shared/settings.ts';
import { json, operation } from '../operation.ts';

export const indexOperations = [
  operation({
    id: 'getIndex',
    method: 'get',
    path: '/index',
    summary: 'Get how full the index is',
    description:
      'The index is what the lists are read from, in D1. It must never be full, so from `removal_bytes` on the ended runs that started first leave it. `GET /runs/{run}?job=` still finds them.',
    access: { kind: 'full_admin' },
    responses: { 200: json(IndexBody, 'The size and the limits of the index.') },
    handle: async ({ c }) => {
      const { maxBytes, warningBytes, removalBytes } = indexLimits(readSettings(c.env).d1MaxBytes);
      return c.json<v.InferOutput<typeof IndexBody>>({
        index: {
          bytes: await indexBytes(c.env.DB),
          max_bytes: maxBytes,
          warning_bytes: warningBytes,
          removal_bytes: removalBytes,
        },
      });
    },
  }),
];

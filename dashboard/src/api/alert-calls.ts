/** The calls about alerts: apart, because only one page makes them, and their schemas are long. */

import type * as v from 'valibot';
import { type Alert, AlertBody, type AlertChanges, AlertList, AlertTestBody, type NewAlert } from '#protocol/alerts';
import { everyPage, fetchPage, PAGE_SIZE, pick, type Whole, withQuery } from './calls.ts';
import type { Result } from './failure.ts';
import { call, callFor } from './http.ts';

export function fetchAlerts(): Promise<Result<Whole<Alert>>> {
  return everyPage((cursor) =>
    fetchPage(AlertList, withQuery('/alerts', { limit: PAGE_SIZE, cursor }), ({ alerts }) => alerts),
  );
}

export async function createAlert(alert: v.InferInput<typeof NewAlert>): Promise<Result<Alert>> {
  return pick(await callFor(AlertBody, { method: 'POST', path: '/alerts', body: alert }), (body) => body.alert);
}

export async function changeAlert(id: string, changes: v.InferInput<typeof AlertChanges>): Promise<Result<Alert>> {
  const path = `/alerts/${encodeURIComponent(id)}`;
  return pick(await callFor(AlertBody, { method: 'PATCH', path, body: changes }), (body) => body.alert);
}

export async function deleteAlert(id: string): Promise<Result<null>> {
  return pick(await call({ method: 'DELETE', path: `/alerts/${encodeURIComponent(id)}` }), () => null);
}

/** Sends a test message. @returns whether the receiver has taken it */
export function testAlert(id: string): Promise<Result<v.InferOutput<typeof AlertTestBody>>> {
  return callFor(AlertTestBody, { method: 'POST', path: `/alerts/${encodeURIComponent(id)}/test` });
}

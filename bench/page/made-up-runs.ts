/** Made-up runs and jobs that the page takes for the control plane's, so that what is measured is the page alone. */
import type { Page, Route, WebSocketRoute } from 'playwright-core';
import type { Job, Run } from '#protocol/api';
import { makeRun } from '../../dashboard/test/make.ts';

const PAGE_SIZE = 500;
const CHANGE_EVERY_MS = 100;

export function runId(number: number): string {
  return `01J${String(number).padStart(23, '0')}`;
}

export function timeOf(at: number): string {
  return new Date(at).toISOString();
}

export function jobName(index: number): string {
  return `job-${String(index).padStart(3, '0')}`;
}

export function machineName(index: number): string {
  return `m-${String(index).padStart(4, '0')}.example.com`;
}

/** A run that lives, unless it is said otherwise. */
export function madeUpRun(given: Pick<Run, 'id' | 'job' | 'machine' | 'started_at'> & Partial<Run>): Run {
  return makeRun({ instance: `i-${given.id}`, command_line: `sh -c 'work ${given.id}'`, ...given });
}

/**
 * Answers the page's calls for lists from now on.
 *
 * @param runs for a request's parameters, all that match
 * @returns the page's watch socket, for when it has one
 */
export async function answerWith(
  page: Page,
  jobs: readonly Job[],
  runs: (asked: URLSearchParams) => readonly Run[],
): Promise<{ readonly socket: Promise<WebSocketRoute> }> {
  const { promise, resolve } = Promise.withResolvers<WebSocketRoute>();
  await page.route('**/api/v1/jobs?*', (route) => route.fulfill({ json: { jobs, next_cursor: null } }));
  await page.route('**/api/v1/runs?*', (route) => answerRuns(route, runs));
  await page.routeWebSocket('**/api/v1/watch', (socket) => {
    socket.onMessage((message) => socket.send(message));
    resolve(socket);
  });
  return { socket: promise };
}

function answerRuns(route: Route, runs: (asked: URLSearchParams) => readonly Run[]): Promise<void> {
  const asked = new URL(route.request().url()).searchParams;
  const found = runs(asked);
  const from = Number(asked.get('cursor') ?? 0);
  const next = from + PAGE_SIZE < found.length ? String(from + PAGE_SIZE) : null;
  return route.fulfill({ json: { runs: found.slice(from, from + PAGE_SIZE), next_cursor: next } });
}

/** Sends changed runs at a steady rate. */
export async function sendChanges(
  socket: WebSocketRoute,
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
  changed: (nth: number) => Run,
): Promise<void> {
  const perTick = (perSecond * CHANGE_EVERY_MS) / 1000;
  for (let nth = 0; nth < perSecond * seconds; nth += 1) {
    socket.send(JSON.stringify({ type: 'run', run: changed(nth) }));
    if ((nth + 1) % perTick === 0) await new Promise((resolve) => setTimeout(resolve, CHANGE_EVERY_MS));
  }
}

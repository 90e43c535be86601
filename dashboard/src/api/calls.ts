/** The calls of the HTTPS API that the page makes. */

import type * as v from 'valibot';
import {
  type AuditEntry,
  AuditList,
  EventList,
  GAPS_HEADER,
  type Job,
  JobBody,
  JobList,
  type Kill,
  KillBody,
  KillList,
  type KillManyRequest,
  type KillRequest,
  KillsBody,
  type NewToken,
  type Run,
  RunBody,
  type RunEvent,
  RunList,
  type Session,
  SessionBody,
  type Token,
  TokenBody,
  TokenList,
} from '#protocol/api';
import type { RunName } from '../state/run-ref.ts';
import { failed, type Result, success } from './failure.ts';
import { call, callFor } from './http.ts';

export async function fetchSession(): Promise<Result<Session>> {
  return pick(await callFor(SessionBody, { path: '/session' }), (body) => body.session);
}

export async function signIn(token: string): Promise<Result<Session>> {
  return pick(
    await callFor(SessionBody, { method: 'POST', path: '/session', body: { token } }),
    (body) => body.session,
  );
}

export async function signOut(): Promise<Result<null>> {
  return pick(await call({ method: 'DELETE', path: '/session' }), () => null);
}

/** @param job null: of whichever job has one with this id, if only one has */
export async function fetchRun(id: string, job: string | null): Promise<Result<Run>> {
  const path = withQuery(`/runs/${encodeURIComponent(id)}`, { job });
  return pick(await callFor(RunBody, { path }), (body) => body.run);
}

export async function fetchJob(name: string): Promise<Result<Job>> {
  return pick(await callFor(JobBody, { path: `/jobs/${encodeURIComponent(name)}` }), (body) => body.job);
}

/** One page of a list, and where it goes on. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}

/** All pages of a list together. */
export interface Whole<Item> {
  readonly items: readonly Item[];
  /** Whether it goes on: there was more than a page can hold. Whoever shows it has to say so. */
  readonly isTruncated: boolean;
}

/** How a list is narrowed; what is not given, or empty, narrows nothing. */
export type ListQuery = Readonly<Record<string, string | number | null | undefined>>;

/** @param narrowing `job`, `machine`, `instance`, `state` (several: with commas), `since`, `until`, `limit`, `cursor` */
export async function fetchRuns(narrowing: ListQuery): Promise<Result<Page<Run>>> {
  return pick(await callFor(RunList, { path: withQuery('/runs', narrowing) }), (body) => ({
    items: body.runs,
    next: body.next_cursor,
  }));
}

/** @param narrowing `job`, `state` (several: with commas), `limit`, `cursor` */
export async function fetchKills(narrowing: ListQuery): Promise<Result<Page<Kill>>> {
  return pick(await callFor(KillList, { path: withQuery('/kills', narrowing) }), (body) => ({
    items: body.kills,
    next: body.next_cursor,
  }));
}

/** The same, and the rest of what one order has made where the page would end within it. */
export async function fetchWholeBatches(narrowing: ListQuery): Promise<Result<Page<Kill>>> {
  const page = await fetchKills(narrowing);
  const batch = page.ok && page.value.next !== null ? (page.value.items.at(-1)?.batch ?? null) : null;
  if (!page.ok || batch === null) return page;
  const rest = await everyPage((cursor) =>
    fetchKills({ ...narrowing, batch, limit: PAGE_SIZE, cursor: cursor ?? page.value.next }),
  );
  return pick(rest, ({ items }) => ({ items: [...page.value.items, ...items], next: page.value.next }));
}

export async function fetchKill(id: string): Promise<Result<Kill>> {
  return pick(await callFor(KillBody, { path: `/kills/${encodeURIComponent(id)}` }), (body) => body.kill);
}

/** @param narrowing `actor`, `action`, `subject`, `limit`, `cursor` */
export async function fetchAudit(narrowing: ListQuery): Promise<Result<Page<AuditEntry>>> {
  return pick(await callFor(AuditList, { path: withQuery('/audit', narrowing) }), (body) => ({
    items: body.audit,
    next: body.next_cursor,
  }));
}

/** All jobs. @param each takes every page of the list as it comes */
export function fetchJobs(each: (jobs: readonly Job[]) => void): Promise<Result<Whole<Job>>> {
  return everyPage(async (cursor) => {
    const answer = await callFor(JobList, { path: withQuery('/jobs', { limit: PAGE_SIZE, cursor }) });
    return pick(answer, (body) => ({ items: body.jobs, next: body.next_cursor }));
  }, each);
}

/** All runs that live or may come back. @param each takes every page of the list as it comes */
export function fetchOpenRuns(each: (runs: readonly Run[]) => void): Promise<Result<Whole<Run>>> {
  return fetchAllRuns({ state: 'running,killing,lost' }, each);
}

/** All runs that there are of what a list is narrowed to. @param each takes every page of the list as it comes */
export function fetchAllRuns(narrowing: ListQuery, each?: (runs: readonly Run[]) => void): Promise<Result<Whole<Run>>> {
  return everyPage((cursor) => fetchRuns({ ...narrowing, limit: PAGE_SIZE, cursor }), each);
}

/** All that has happened to a run so far. @param job as for the run */
export function fetchEvents(run: string, job: string | null): Promise<Result<Whole<RunEvent>>> {
  const path = `/runs/${encodeURIComponent(run)}/events`;
  return everyPage(async (cursor) =>
    pick(await callFor(EventList, { path: withQuery(path, { job, limit: PAGE_SIZE, cursor }) }), (body) => ({
      items: body.events,
      next: body.next_cursor,
    })),
  );
}

export function fetchTokens(): Promise<Result<Whole<Token>>> {
  return everyPage(async (cursor) =>
    pick(await callFor(TokenList, { path: withQuery('/tokens', { limit: PAGE_SIZE, cursor }) }), (body) => ({
      items: body.tokens,
      next: body.next_cursor,
    })),
  );
}

/** A token with its secret, which is never shown again. */
export type TokenWithSecret = v.InferOutput<typeof TokenBody>;

export function createToken(token: v.InferInput<typeof NewToken>): Promise<Result<TokenWithSecret>> {
  return callFor(TokenBody, { method: 'POST', path: '/tokens', body: token });
}

/** @param oldValidSeconds how long the secret it had stays valid */
export function rotateToken(id: string, oldValidSeconds: number): Promise<Result<TokenWithSecret>> {
  return callFor(TokenBody, {
    method: 'POST',
    path: `/tokens/${encodeURIComponent(id)}/rotate`,
    body: { old_valid_seconds: oldValidSeconds },
  });
}

export async function deleteToken(id: string): Promise<Result<null>> {
  return pick(await call({ method: 'DELETE', path: `/tokens/${encodeURIComponent(id)}` }), () => null);
}

/** Where a run's whole output is, for a link; byte for byte, with a line of its own where bytes are missing. */
export function outputHref({ id, job }: RunName): string {
  return `/api/v1${withQuery(`/runs/${encodeURIComponent(id)}/output`, { job, gaps: 'related' })}`;
}

/** What went to one stream, within the last so many bytes of a run's output. */
export async function fetchOutputTail(
  { id, job }: RunName,
  stream: 'stdout' | 'stderr',
  tailBytes: number,
): Promise<Result<string>> {
  const path = withQuery(`/runs/${encodeURIComponent(id)}/output`, { job, stream, tail: tailBytes });
  const answer = await call({ path });
  return answer.ok ? readText(answer.value) : answer;
}

async function readText(response: Response): Promise<Result<string>> {
  try {
    return success(await response.text());
  } catch {
    return failed({ kind: 'unreachable', detail: 'The connection dropped while loading output. Try again.' });
  }
}

/** Which bytes [start, end) of a run's output are missing for ever: the first hundred stretches. */
export async function fetchGaps({ id, job }: RunName): Promise<Result<readonly Gap[]>> {
  const answer = await call({ method: 'HEAD', path: withQuery(`/runs/${encodeURIComponent(id)}/output`, { job }) });
  return pick(answer, ({ headers }) =>
    [...(headers.get(GAPS_HEADER) ?? '').matchAll(/(\d+)-(\d+)/g)].map(([, start, end]) => ({
      start: Number(start),
      end: Number(end),
    })),
  );
}

export interface Gap {
  readonly start: number;
  readonly end: number;
}

/** @param key names this very order: asking again with the same key gives the same kill, not a second one */
export async function postKill(job: string, request: Partial<KillRequest>, key: string): Promise<Result<Kill>> {
  const answer = await callFor(KillBody, {
    method: 'POST',
    path: `/jobs/${encodeURIComponent(job)}/kill`,
    body: request,
    headers: { 'idempotency-key': key },
  });
  return pick(answer, (body) => body.kill);
}

/** The same for many runs or jobs: one kill for each. */
export async function postKills(
  request: v.InferInput<typeof KillManyRequest>,
  key: string,
): Promise<Result<readonly Kill[]>> {
  const answer = await callFor(KillsBody, {
    method: 'POST',
    path: '/kills',
    body: request,
    headers: { 'idempotency-key': key },
  });
  return pick(answer, (body) => body.kills);
}

function pick<From, To>(result: Result<From>, of: (value: From) => To): Result<To> {
  return result.ok ? success(of(result.value)) : result;
}

/** The most that one answer holds. */
const PAGE_SIZE = 500;
/** What is more is cut off: so much is what a page can still hold and draw. */
const MOST_PAGES = 50;
export const MOST_LISTED = PAGE_SIZE * MOST_PAGES;

async function everyPage<Item>(
  fetchPage: (cursor: string | null) => Promise<Result<Page<Item>>>,
  each: (items: readonly Item[]) => void = () => undefined,
): Promise<Result<Whole<Item>>> {
  const items: Item[] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const page: Result<Page<Item>> = await fetchPage(cursor);
    if (!page.ok) return page;
    items.push(...page.value.items);
    each(page.value.items);
    cursor = page.value.next;
    if (cursor === null) break;
  }
  return success({ items, isTruncated: cursor !== null });
}

function withQuery(path: string, narrowing: ListQuery): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(narrowing)) {
    if (value !== null && value !== undefined && value !== '') query.set(name, String(value));
  }
  return query.size === 0 ? path : `${path}?${query}`;
}

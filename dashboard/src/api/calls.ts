/** The calls of the HTTPS API that the page makes. */

import type * as v from 'valibot';
import {
  type AuditEntry,
  AuditList,
  EventList,
  GAPS_HEADER,
  IndexBody,
  type IndexSize,
  type Job,
  JobBody,
  JobList,
  type Kill,
  KillBody,
  KillList,
  type KillManyRequest,
  type KillRequest,
  KillsBody,
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
import { type Brake, BrakeList } from '#protocol/brakes';
import { BrokenExpectations, type Expectation } from '#protocol/expectations';
import type { NewToken } from '#protocol/new-token';
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

/** For admins of all jobs. */
export async function fetchIndex(): Promise<Result<IndexSize>> {
  return pick(await callFor(IndexBody, { path: '/index' }), (body) => body.index);
}

/** @param job null: the job of the only run with this id */
export async function fetchRun(id: string, job: string | null): Promise<Result<Run>> {
  const path = withQuery(`/runs/${encodeURIComponent(id)}`, { job });
  return pick(await callFor(RunBody, { path }), (body) => body.run);
}

export async function fetchJob(name: string): Promise<Result<Job>> {
  return pick(await callFor(JobBody, { path: `/jobs/${encodeURIComponent(name)}` }), (body) => body.job);
}

/** One list page. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** The cursor of the next list page; null after the last one. */
  readonly next: string | null;
}

/** All pages of a list together. */
export interface Whole<Item> {
  readonly items: readonly Item[];
  /** Whether there are more items than the dashboard holds. The view that shows them has to say so. */
  readonly isTruncated: boolean;
}

/** A list's query parameters. Missing and empty ones are not sent. */
export type ListQuery = Readonly<Record<string, string | number | null | undefined>>;

export async function fetchPage<Schema extends v.GenericSchema<unknown, { next_cursor: string | null }>, Item>(
  schema: Schema,
  path: string,
  itemsOf: (body: v.InferOutput<Schema>) => readonly Item[],
): Promise<Result<Page<Item>>> {
  return pick(await callFor(schema, { path }), (body) => ({ items: itemsOf(body), next: body.next_cursor }));
}

/** @param query `job`, `machine`, `instance`, `state` (several: with commas), `since`, `until`, `limit`, `cursor` */
export function fetchRuns(query: ListQuery): Promise<Result<Page<Run>>> {
  return fetchPage(RunList, withQuery('/runs', query), ({ runs }) => runs);
}

/** @param query `job`, `state` (several: with commas), `limit`, `cursor` */
export function fetchKills(query: ListQuery): Promise<Result<Page<Kill>>> {
  return fetchPage(KillList, withQuery('/kills', query), ({ kills }) => kills);
}

/** The same, with the rest of a batch where the page would end within it. */
export async function fetchWholeBatches(query: ListQuery): Promise<Result<Page<Kill>>> {
  const page = await fetchKills(query);
  const batch = page.ok && page.value.next !== null ? (page.value.items.at(-1)?.batch ?? null) : null;
  if (!page.ok || batch === null) return page;
  const rest = await everyPage((cursor) =>
    fetchKills({ ...query, batch, limit: PAGE_SIZE, cursor: cursor ?? page.value.next }),
  );
  return pick(rest, ({ items }) => ({ items: [...page.value.items, ...items], next: page.value.next }));
}

export async function fetchKill(id: string): Promise<Result<Kill>> {
  return pick(await callFor(KillBody, { path: `/kills/${encodeURIComponent(id)}` }), (body) => body.kill);
}

/** @param query `actor`, `action`, `subject`, `limit`, `cursor` */
export function fetchAudit(query: ListQuery): Promise<Result<Page<AuditEntry>>> {
  return fetchPage(AuditList, withQuery('/audit', query), ({ audit }) => audit);
}

export async function fetchBrakes(): Promise<Result<readonly Brake[]>> {
  return pick(await callFor(BrakeList, { path: withQuery('/brakes', { limit: PAGE_SIZE }) }), ({ brakes }) => brakes);
}

/** All jobs. @param each gets every list page as it arrives */
export function fetchJobs(each: (jobs: readonly Job[]) => void): Promise<Result<Whole<Job>>> {
  return everyPage(
    (cursor) => fetchPage(JobList, withQuery('/jobs', { limit: PAGE_SIZE, cursor }), ({ jobs }) => jobs),
    each,
  );
}

/** All runs that match. @param each gets every list page as it arrives */
export function fetchAllRuns(query: ListQuery, each?: (runs: readonly Run[]) => void): Promise<Result<Whole<Run>>> {
  return everyPage((cursor) => fetchRuns({ ...query, limit: PAGE_SIZE, cursor }), each);
}

/** The newest expectations that don't hold, of all jobs. */
export async function fetchBrokenExpectations(): Promise<Result<readonly Expectation[]>> {
  const path = withQuery('/expectations', { limit: PAGE_SIZE });
  return pick(await callFor(BrokenExpectations, { path }), ({ expectations }) => expectations);
}

/** All events of a run so far. @param job as for `fetchRun` */
export function fetchEvents(run: string, job: string | null): Promise<Result<Whole<RunEvent>>> {
  const path = `/runs/${encodeURIComponent(run)}/events`;
  return everyPage((cursor) =>
    fetchPage(EventList, withQuery(path, { job, limit: PAGE_SIZE, cursor }), ({ events }) => events),
  );
}

export function fetchTokens(): Promise<Result<Whole<Token>>> {
  return everyPage((cursor) =>
    fetchPage(TokenList, withQuery('/tokens', { limit: PAGE_SIZE, cursor }), ({ tokens }) => tokens),
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
  return `/api/v1${withQuery(`/runs/${encodeURIComponent(id)}/output`, { job, gaps: 'marked' })}`;
}

/** The last `tailBytes` of a run's output, or of them what went to one stream. */
export async function fetchOutputTail(
  { id, job }: RunName,
  stream: 'stdout' | 'stderr' | null,
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

/** The gaps in a run's output: bytes [start, end) that are permanently missing. At most the first hundred. */
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

/** @param key the idempotency key: a retry with the same key returns the same kill */
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

export function pick<From, To>(result: Result<From>, of: (value: From) => To): Result<To> {
  return result.ok ? success(of(result.value)) : result;
}

/** The most that one answer holds. */
export const PAGE_SIZE = 500;
/** A longer list is truncated: more than this the dashboard can't hold and draw. */
const MOST_PAGES = 50;
export const MOST_LISTED = PAGE_SIZE * MOST_PAGES;

export async function everyPage<Item>(
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

export function withQuery(path: string, parameters: ListQuery): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== '') query.set(name, String(value));
  }
  return query.size === 0 ? path : `${path}?${query}`;
}

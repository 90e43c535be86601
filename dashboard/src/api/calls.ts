/** The calls of the HTTPS API that the page makes. */

import type * as v from 'valibot';
import {
  type Command,
  CommandBody,
  EventList,
  type Job,
  JobList,
  type KillRequest,
  type Run,
  RunBody,
  type RunEvent,
  RunList,
  type Session,
  SessionBody,
} from '#protocol/api';
import { type Result, success } from './failure.ts';
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

export function fetchRuns(limit: number): Promise<Result<v.InferOutput<typeof RunList>>> {
  return callFor(RunList, { path: `/runs?limit=${limit}` });
}

export async function fetchRun(id: string): Promise<Result<Run>> {
  return pick(await callFor(RunBody, { path: `/runs/${encodeURIComponent(id)}` }), (body) => body.run);
}

/** All jobs: the list comes in pages. */
export function fetchJobs(): Promise<Result<readonly Job[]>> {
  return everyPage(async (cursor) =>
    pick(await callFor(JobList, { path: `/jobs${withCursor(cursor)}` }), (body) => ({
      items: body.jobs,
      next: body.next_cursor,
    })),
  );
}

/** All that has happened to a run so far. */
export function fetchEvents(run: string): Promise<Result<readonly RunEvent[]>> {
  return everyPage(async (cursor) =>
    pick(
      await callFor(EventList, { path: `/runs/${encodeURIComponent(run)}/events${withCursor(cursor)}` }),
      (body) => ({
        items: body.events,
        next: body.next_cursor,
      }),
    ),
  );
}

/** Where a run's whole output is, for a link. */
export function outputHref(run: string): string {
  return `/api/v1/runs/${encodeURIComponent(run)}/output`;
}

/** @param key names this very order: asking again with the same key gives the same command, not a second one */
export async function postKill(job: string, request: Partial<KillRequest>, key: string): Promise<Result<Command>> {
  const answer = await callFor(CommandBody, {
    method: 'POST',
    path: `/jobs/${encodeURIComponent(job)}/kill`,
    body: request,
    headers: { 'idempotency-key': key },
  });
  return pick(answer, (body) => body.command);
}

function pick<From, To>(result: Result<From>, of: (value: From) => To): Result<To> {
  return result.ok ? success(of(result.value)) : result;
}

interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}

/** A list without end is cut rather than followed for ever. */
const MOST_PAGES = 20;

async function everyPage<Item>(
  fetchPage: (cursor: string | null) => Promise<Result<Page<Item>>>,
): Promise<Result<readonly Item[]>> {
  const items: Item[] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const page: Result<Page<Item>> = await fetchPage(cursor);
    if (!page.ok) return page;
    items.push(...page.value.items);
    cursor = page.value.next;
    if (cursor === null) break;
  }
  return success(items);
}

function withCursor(cursor: string | null): string {
  return cursor === null ? '' : `?cursor=${encodeURIComponent(cursor)}`;
}

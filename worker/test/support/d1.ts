/** What D1 has, and outages of D1. */

import { vi } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { env } from './env.ts';

/** The state of a run as D1 has it. */
export async function indexedState(id: string): Promise<string | undefined> {
  const row = await env.DB.prepare('SELECT state FROM runs WHERE id = ?').bind(id).first<{ state: string }>();
  return row?.state;
}

export async function indexed(id: string): Promise<void> {
  await waitFor('D1 to know the run', () => indexedState(id));
}

/** The steps in which D1 would execute a query. */
export async function queryPlan(ask: (db: D1Database) => D1PreparedStatement): Promise<string[]> {
  const explaining = { prepare: (query: string) => env.DB.prepare(`EXPLAIN QUERY PLAN ${query}`) } as D1Database;
  const { results } = await ask(explaining).all<{ detail: string }>();
  return results.map(({ detail }) => detail);
}

/** Until it ends, every query of these tables fails, as in an outage of D1. */
export async function without(tables: readonly string[], what: () => Promise<void>): Promise<void> {
  for (const table of tables) await env.DB.exec(`ALTER TABLE ${table} RENAME TO ${table}_away`);
  try {
    await what();
  } finally {
    for (const table of tables) await env.DB.exec(`ALTER TABLE ${table}_away RENAME TO ${table}`);
  }
}

type D1Call = () => Promise<unknown>;

/** @param statements the SQL of the call */
type Intercept = (call: D1Call, statements: readonly string[]) => Promise<unknown>;

/** Until it ends, every call to D1 goes through a function, which may delay it, refuse it, or lose its answer. */
export async function withD1(intercept: Intercept, what: () => Promise<void>): Promise<void> {
  const restore = [
    interceptMethods(Object.getPrototypeOf(env.DB), ['batch'], intercept),
    interceptMethods(Object.getPrototypeOf(env.DB.prepare('SELECT 1')), ['first', 'run', 'all', 'raw'], intercept),
  ];
  isIntercepted = true;
  try {
    await what();
  } finally {
    isIntercepted = false;
    for (const undo of restore) undo();
  }
}

/** A failure as that of the network: D1's own have a prefix. */
export function rejecting(): Promise<never> {
  return Promise.reject(new TypeError('Network connection lost.'));
}

/** As D1 at its limit: it still reads and deletes. */
export function full(call: D1Call, statements: readonly string[]): Promise<unknown> {
  return isRefusedByFullD1(statements) ? Promise.reject(new Error('D1_ERROR: Exceeded maximum DB size')) : call();
}

export function isRefusedByFullD1(statements: readonly string[]): boolean {
  return statements.some((statement) => /^\s*(INSERT|UPDATE)/.test(statement));
}

let isIntercepted = false;

/** Doesn't answer before the end of `withD1`. A timer keeps the caller's request alive meanwhile. */
export async function hanging(): Promise<never> {
  while (isIntercepted) await scheduler.wait(5);
  return rejecting();
}

/** Until it ends, each limit of a second or more is over at once: a request's own timers can't be fired from a test. */
export async function withoutPatience(what: () => Promise<void>): Promise<void> {
  vi.useRealTimers();
  const { setTimeout } = globalThis;
  const impatient = (callback: () => void, ms?: number) =>
    setTimeout(callback, ms !== undefined && ms >= 1_000 ? 1 : ms);
  vi.stubGlobal('setTimeout', impatient);
  try {
    await what();
  } finally {
    vi.unstubAllGlobals();
  }
}

function interceptMethods(
  prototype: Record<string, (...values: unknown[]) => Promise<unknown>>,
  names: readonly string[],
  intercept: Intercept,
): () => void {
  const originals = names.map((name) => [name, prototype[name]] as const);
  for (const [name, original] of originals) {
    prototype[name] = function (...values) {
      const [batch] = values;
      const statements = (Array.isArray(batch) ? batch : [this]) as readonly { readonly statement: string }[];
      return intercept(
        () => original?.apply(this, values) ?? rejecting(),
        statements.map(({ statement }) => statement),
      );
    };
  }
  return () => {
    for (const [name, original] of originals) if (original !== undefined) prototype[name] = original;
  };
}

/** Runs in the index only, without their objects: for lists of more runs than a test can start. */
import { ulid } from 'ulid';
import type { Run } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { countChanges } from '../../shared/d1/counters.ts';
import { indexRuns } from '../../shared/d1/runs.ts';
import { env } from './env.ts';

const ROWS_PER_STATEMENT = 1_000;

/** A run with a start time and a duration; null: it has not ended. */
export function indexedRun(startedAt: number, tookMs: number | null, fields: Partial<Run> = {}): Run {
  const state = fields.state ?? (tookMs === null ? 'running' : 'succeeded');
  return {
    id: ulid(startedAt),
    job: 'indexed',
    instance: 'indexed_1',
    machine: 'web1',
    state,
    final: !isLive(state),
    connected: isLive(state),
    disconnected_since: null,
    exit_code: isLive(state) ? null : 0,
    command_exit_code: isLive(state) ? null : 0,
    signal: null,
    reason: isLive(state) ? null : 'exited',
    started_at: new Date(startedAt).toISOString(),
    ended_at: tookMs === null ? null : new Date(startedAt + tookMs).toISOString(),
    pid: 1,
    command_line: 'true',
    wrapper_version: '1.0.0',
    successor: 0,
    user: 'backup',
    host: { is_root: false, os: 'Debian GNU/Linux 12 (bookworm), Linux 6.1.0 x86_64', node: 'v24.1.0' },
    left_running: [],
    timeout_ms: null,
    grace_ms: 5_000,
    kill_signal: 'SIGTERM',
    output_bytes: 0,
    output_total_bytes: isLive(state) ? null : 0,
    about: null,
    usage: null,
    slow_since: null,
    asked_at: null,
    fence: null,
    blocked_by: [],
    seq: 1,
    ...fields,
  };
}

export async function index(runs: readonly Run[]): Promise<void> {
  for (let from = 0; from < runs.length; from += ROWS_PER_STATEMENT) {
    const some = runs.slice(from, from + ROWS_PER_STATEMENT);
    await env.DB.batch([countChanges(env.DB, some, []), ...indexRuns(env.DB, some)]);
  }
}

/** How many rows D1 reads for these queries. */
export async function rowsRead(ask: (db: D1Database) => Promise<unknown>): Promise<number> {
  let read = 0;
  const counting = (statement: D1PreparedStatement): D1PreparedStatement =>
    new Proxy(statement, {
      get(target, name) {
        if (name === 'bind') return (...values: unknown[]) => counting(target.bind(...values));
        if (name !== 'all') return Reflect.get(target, name);
        return async () => {
          const result = await target.all();
          read += result.meta.rows_read;
          return result;
        };
      },
    });
  await ask(
    new Proxy(env.DB, {
      get(db, name) {
        if (name === 'prepare') return (query: string) => counting(db.prepare(query));
        if (name !== 'batch') return Reflect.get(db, name);
        return (statements: D1PreparedStatement[]) => Promise.all(statements.map((statement) => statement.all()));
      },
    }),
  );
  return read;
}

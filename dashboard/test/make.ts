/** Things to test with, each with nothing remarkable about it but what the test says. */
import type { Job, Kill, LastEnd, NewRunEvent, Run, RunEnd, RunEvent } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import type { Fleet } from '../src/state/fleet.ts';
import { Store, type Update } from '../src/state/store.ts';

export const RUN_ID = '01J00000000000000000000001';
export const KILL_ID = '01J00000000000000000000002';
const START = Date.parse('2026-03-01T00:00:00.000Z');

/** The id of the n-th run. */
export function runId(n: number): string {
  return `01J${String(n).padStart(23, '0')}`;
}

export function at(seconds: number): string {
  return new Date(START + seconds * 1000).toISOString();
}

export function makeRun(changes: Partial<Run> = {}): Run {
  return {
    id: RUN_ID,
    job: 'backup',
    instance: 'backup_1',
    machine: 'web-1',
    state: 'running',
    final: false,
    connected: true,
    disconnected_since: null,
    exit_code: null,
    command_exit_code: null,
    signal: null,
    reason: null,
    started_at: at(0),
    ended_at: null,
    pid: 42,
    command_line: 'sh -c backup',
    wrapper_version: '0.1.0',
    successor: 0,
    user: 'backup',
    host: { is_root: false, os: 'Debian GNU/Linux 12 (bookworm), Linux 6.1.0 x86_64', node: 'v24.1.0' },
    left_running: [],
    timeout_ms: null,
    grace_ms: 5000,
    kill_signal: 'SIGTERM',
    output_bytes: 0,
    output_total_bytes: null,
    about: null,
    usage: null,
    slow_since: null,
    asked_at: null,
    fence: null,
    blocked_by: [],
    seq: 1,
    ...changes,
  };
}

export function makeEnd(changes: Partial<RunEnd> = {}): RunEnd {
  return {
    run: RUN_ID,
    machine: 'web-1',
    state: 'succeeded',
    final: true,
    exit_code: 0,
    started_at: at(0),
    ended_at: at(5),
    ...changes,
  };
}

export function makeLastEnd(changes: Partial<LastEnd> = {}): LastEnd {
  return { machine: 'web-1', run: RUN_ID, state: 'succeeded', exit_code: 0, ended_at: at(5), ...changes };
}

/** Its last ends are those of its recent ones. */
export function makeJob(changes: Partial<Job> = {}): Job {
  const byMachine = new Map<string, LastEnd>();
  for (const { run, machine, state, exit_code, ended_at, started_at } of changes.recent_ends ?? []) {
    if (isLive(state)) throw new Error('a run that lives is no end');
    const end = { run, machine, state, exit_code, ended_at: ended_at ?? started_at };
    const other = byMachine.get(machine);
    if (other === undefined || other.ended_at < end.ended_at) byMachine.set(machine, end);
  }
  const counts = { succeeded: 0, failed: 0, killed: 0, timed_out: 0, lost: 0, errored: 0, skipped: 0 };
  for (const { state } of byMachine.values()) counts[state] += 1;
  return {
    name: 'backup',
    first_seen_at: at(0),
    last_run: null,
    running: [],
    running_count: 0,
    recent_ends: [],
    last_ends: [...byMachine.values()],
    last_end_counts: counts,
    about: null,
    ...changes,
  };
}

export function makeKill(changes: Partial<Kill> = {}): Kill {
  return {
    id: KILL_ID,
    job: 'backup',
    kind: 'kill',
    state: 'queued',
    run: RUN_ID,
    instance: null,
    machine: null,
    signal: 'SIGTERM',
    grace_ms: 5000,
    include: null,
    reason: null,
    requested_by: 'ops',
    request_id: null,
    batch: null,
    requested_at: at(10),
    expires_at: at(610),
    targets: [],
    stored_ms: null,
    found_nothing: false,
    seq: 0,
    ...changes,
  };
}

/** Events with their numbers, in the order given. */
export function story(...events: NewRunEvent[]): RunEvent[] {
  return events.map((event, index) => ({ ...event, id: index + 1 }) as RunEvent);
}

/** With updates that have arrived one after the other. */
export function makeStore(...updates: Partial<Update>[]): Store {
  const store = new Store();
  for (const update of updates) store.apply(update);
  return store;
}

/** What the overview shows of it. */
export function makeFleet(...updates: Partial<Update>[]): Fleet {
  const { open, jobs } = makeStore(...updates);
  return { open: open.value, jobs: jobs.value };
}

/** Runs and kills as the API has them, for tests that need only some of their fields. */
import { ulid } from 'ulid';
import type { Kill, Run, Target } from '#protocol/api';

export function aRun(fields: Partial<Run> = {}): Run {
  return {
    id: ulid(),
    job: 'backup',
    instance: 'backup_1',
    machine: 'm1',
    state: 'running',
    final: false,
    connected: true,
    disconnected_since: null,
    exit_code: null,
    command_exit_code: null,
    signal: null,
    reason: null,
    started_at: '2026-01-31T03:00:00.000Z',
    ended_at: null,
    pid: 4711,
    command_line: 'backup --all',
    wrapper_version: '0.1.0',
    successor: 0,
    user: null,
    host: null,
    timeout_ms: null,
    grace_ms: 5_000,
    kill_signal: 'SIGTERM',
    left_running: [],
    output_bytes: 0,
    output_total_bytes: null,
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

export function aTarget(fields: Partial<Target> = {}): Target {
  return {
    run: ulid(),
    machine: 'm1',
    state: 'pending',
    signal: null,
    exit_code: null,
    survivors: [],
    unnamed_survivors: false,
    related: [],
    related_count: 0,
    timing: null,
    ...fields,
  };
}

export function aKill(fields: Partial<Kill> = {}): Kill {
  return {
    id: ulid(),
    job: 'backup',
    kind: 'kill',
    state: 'queued',
    run: null,
    instance: null,
    machine: null,
    signal: null,
    grace_ms: null,
    include: null,
    reason: null,
    requested_by: 'operator',
    request_id: null,
    batch: null,
    requested_at: '2026-01-31T04:00:00.000Z',
    expires_at: '2026-01-31T04:10:00.000Z',
    stored_ms: null,
    targets: [],
    found_nothing: false,
    seq: 1,
    ...fields,
  };
}

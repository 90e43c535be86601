import { describe, expect, test } from 'vitest';
import type { Kill, Target } from '#protocol/api';
import { killOccurrences, runOccurrences } from '../durable/job/occurrences.ts';
import type { RunRecord } from '../durable/job/run-store.ts';

const START = Date.parse('2026-11-30T03:00:00Z');
const END = START + 60_000;

const RUNNING: RunRecord = {
  id: 'r',
  keyHash: 'k',
  instance: 'i',
  machine: 'web1',
  state: 'running',
  final: false,
  connected: true,
  disconnectedSince: null,
  generation: 1,
  suspectedSince: null,
  exitCode: null,
  commandExitCode: null,
  signal: null,
  reason: null,
  startedAt: START,
  endedAt: null,
  pid: 1,
  commandLine: 'backup',
  wrapper: 'leash',
  wrapperVersion: '1.0.0',
  successor: 0,
  host: null,
  leftRunning: [],
  timeoutMs: null,
  graceMs: 10_000,
  killSignal: 'SIGTERM',
  outputEnd: 0,
  finalOffset: null,
  headEnd: null,
  outputSize: 0,
  archivedTo: null,
  trimmedFor: null,
  about: null,
  usage: null,
  slowSince: null,
  returnedAt: null,
  question: null,
  askedAt: null,
  fence: null,
  refusal: null,
  blockedBy: [],
  recentEvents: '[]',
  eventCount: 0,
  seq: 1,
  sentSeq: 0,
  settled: false,
};

/** What is said of a run: id, kind and summary of each. */
function said(run: Partial<RunRecord>, killedBy: Parameters<typeof runOccurrences>[2] = null): string[] {
  return runOccurrences('backup', { ...RUNNING, ...run }, killedBy).map(
    ({ id, kind, summary }) => `${id} ${kind}: ${summary}`,
  );
}

const ended = (state: RunRecord['state'], run: Partial<RunRecord> = {}) => ({
  state,
  endedAt: END,
  final: true,
  ...run,
});

describe('of a run', () => {
  test('nothing is said while it is as it should be', () => {
    for (const state of ['waiting', 'running', 'killing'] as const) expect(said({ state })).toEqual([]);
  });

  test.each<[string, Partial<RunRecord>, string]>([
    ['exit code', ended('failed', { reason: 'exited', exitCode: 7 }), 'r:failed failed: exit code 7 after 1m'],
    ['signal', ended('failed', { reason: 'exited', signal: 'SIGSEGV' }), 'r:failed failed: ended by SIGSEGV after 1m'],
    ['memory', ended('failed', { reason: 'memory_limit' }), 'r:failed failed: exceeded its memory limit after 1m'],
    ['CPU', ended('failed', { reason: 'cpu_limit' }), 'r:failed failed: exceeded its limit of CPU time after 1m'],
    ['time', ended('timed_out', { reason: 'timeout' }), 'r:timed_out timed_out: timed out after 1m'],
    ['start', ended('errored', { reason: 'start_failed' }), 'r:errored errored: could not be started after 1m'],
    ['loss', ended('lost', { final: false }), 'r:lost:0 lost: lost after 1m'],
    ['second loss', ended('lost', { final: false, returnedAt: 5 }), 'r:lost:5 lost: lost after 1m'],
    ['success', ended('succeeded', { exitCode: 0 }), 'r:fine fine: succeeded after 1m'],
    ['kill', ended('killed'), 'r:killed killed: killed after 1m'],
    ['return', { returnedAt: 5 }, 'r:returned:5 fine: has reconnected and is running'],
    ['slowness', { slowSince: END }, 'r:slow slow: takes longer than expected: more than 1m'],
  ])('its %s is said in a sentence', (_what, run, expected) => {
    expect(said(run)).toEqual([expected]);
  });

  test('who killed it is said, and why', () => {
    expect(said(ended('killed'), { requested_by: 'ada', reason: 'it hangs' })).toEqual([
      'r:killed killed: killed by ada (it hangs) after 1m',
    ]);
  });

  test('a skip is said if nobody wanted it', () => {
    const blockedBy = ['web2', 'web2', 'web3'].map((machine) => ({ run: machine, machine, started_at: '' }));
    expect(said(ended('skipped', { reason: 'overlap', blockedBy }))).toEqual([
      'r:skipped skipped: not started: another run was in its way, on web2, web3',
    ]);
    expect(said(ended('skipped', { reason: 'unreachable' }))).toEqual([
      'r:skipped skipped: not started: the control plane could not be asked',
    ]);
    for (const reason of ['brake', 'maintenance'] as const) expect(said(ended('skipped', { reason }))).toEqual([]);
  });

  test('what it left running is said beside its end, with the first of them', () => {
    const leftRunning = [1, 2, 3, 4].map((pid) => ({ pid, command_line: 'x'.repeat(pid === 1 ? 100 : 1) }));
    expect(said(ended('succeeded', { leftRunning }))).toEqual([
      'r:fine fine: succeeded after 1m',
      `r:leftovers leftovers: left 4 processes running: ${'x'.repeat(59)}… (pid 1), x (pid 2), x (pid 3) and 1 more`,
    ]);
  });

  test('its tags, owner and runbook come along, and whether a kill could end something', () => {
    const about = { tags: ['prod'], owner: 'ada', runbook: 'https://wiki.example.com', note: null };
    const [failed] = runOccurrences('backup', { ...RUNNING, ...ended('failed', { about }) }, null);
    expect(failed).toMatchObject({ tags: ['prod'], owner: 'ada', runbook: about.runbook, isAlive: false });
    const [slow] = runOccurrences('backup', { ...RUNNING, slowSince: END }, null);
    expect(slow).toMatchObject({ tags: [], owner: null, runbook: null, isAlive: true });
  });
});

describe('of a kill', () => {
  const KILL: Kill = {
    id: 'k',
    job: 'backup',
    kind: 'kill',
    run: null,
    instance: null,
    machine: 'web*',
    signal: null,
    grace_ms: null,
    include: null,
    reason: null,
    requested_by: 'ada',
    request_id: null,
    batch: null,
    requested_at: new Date(START).toISOString(),
    expires_at: new Date(END).toISOString(),
    stored_ms: null,
    state: 'delivered',
    targets: [],
    found_nothing: false,
    seq: 1,
  };
  const target = (given: Partial<Target>): Target => ({
    run: 'r',
    machine: 'web1',
    state: 'gone',
    signal: null,
    exit_code: null,
    survivors: [],
    unnamed_survivors: false,
    related: [],
    related_count: 0,
    timing: null,
    ...given,
  });
  const saidOf = (kill: Partial<Kill>) =>
    killOccurrences({ ...KILL, ...kill }, (id) => (id === 'r' ? RUNNING : null)).map(
      ({ id, kind, machine, summary }) => `${id} ${kind} ${machine}: ${summary}`,
    );

  test('nothing is said while it is carried out, and when it was', () => {
    const targets = [target({ state: 'sent' }), target({ state: 'gone' }), target({ state: 'refused' })];
    expect(saidOf({ targets })).toEqual([]);
  });

  test('survivors are said, with the first of them, and a target that was lost', () => {
    const targets = [
      target({ survivors: [1, 2, 3, 4] }),
      target({ unnamed_survivors: true }),
      target({ state: 'lost' }),
      target({ state: 'lost', run: 'removed' }),
    ];
    expect(saidOf({ targets })).toEqual([
      'k:r:survivors survivors web1: 4 processes survived the kill by ada (pid 1, 2, 3, …)',
      'k:r:survivors survivors web1: Processes survived the kill by ada',
      'k:r:unanswered kill_unanswered web1: the kill by ada was not answered; it is carried out if the run reconnects',
    ]);
  });

  test('one that found no run is said, on its machine if it names one', () => {
    const summary = 'the kill by ada has expired: no matching run connected in time';
    expect(saidOf({ state: 'expired' })).toEqual([`k:unanswered kill_unanswered null: ${summary}`]);
    expect(saidOf({ state: 'expired', machine: 'web1' })).toEqual([`k:unanswered kill_unanswered web1: ${summary}`]);
  });
});

import { describe, expect, test } from 'vitest';
import type { OverdueRun } from '#protocol/expectations';
import type { Finding, FindingKind, Report } from '#protocol/report';
import { arrivalText, detailText } from '#shared/finding-text';
import { checkedText, newerFindings, sectionOf, summaryText } from '../src/pages/last-night/finding-labels.ts';
import { beginVisit, DAY_MS, HOUR_MS, type Visit } from '../src/pages/last-night/last-visit.ts';
import { makeRun } from './make.ts';

const NOW = Date.parse('2026-11-01T08:00:00Z');

describe('a visit begins', () => {
  const evening: Visit = { beganAt: NOW - 14 * HOUR_MS, since: NOW - 2 * DAY_MS, seen: NOW - 13 * HOUR_MS };

  test('where the last one ended, once that is over', () => {
    expect(beginVisit(evening, NOW)).toEqual({ beganAt: NOW, since: evening.seen, from: 'last visit' });
  });

  test('where the last one began, while that goes on: a reload must not empty the page', () => {
    const morning = { beganAt: NOW - 3 * HOUR_MS, since: evening.seen, seen: NOW - 1_000 };
    expect(beginVisit(morning, NOW)).toEqual({ beganAt: morning.beganAt, since: evening.seen, from: 'last visit' });
  });

  test('12 hours ago if there was none, or if its time is still to come', () => {
    const first = { beganAt: NOW, since: NOW - 12 * HOUR_MS, from: 'first visit' };
    expect(beginVisit(null, NOW)).toEqual(first);
    expect(beginVisit({ beganAt: NOW, since: NOW, seen: NOW + HOUR_MS }, NOW)).toEqual(first);
  });

  test('a week ago at the earliest', () => {
    const long = { beganAt: NOW - 21 * DAY_MS, since: NOW - 21 * DAY_MS, seen: NOW - 20 * DAY_MS };
    expect(beginVisit(long, NOW)).toEqual({ beganAt: NOW, since: NOW - 7 * DAY_MS, from: 'too long ago' });
  });
});

function finding(kind: FindingKind, changes: Partial<Finding> = {}): Finding {
  return {
    kind,
    count: 1,
    machines: ['web1'],
    machine_count: 1,
    first_at: '2026-11-01T03:00:00Z',
    last_at: '2026-11-01T03:00:00Z',
    is_over: false,
    run: null,
    usual_ms: null,
    expectation: null,
    overdue: null,
    kill: null,
    ...changes,
  };
}

const ended = { started_at: '2026-11-01T02:00:00Z', ended_at: '2026-11-01T02:42:00Z', final: true } as const;

describe('a finding says', () => {
  const failed = (changes: object) =>
    makeRun({ ...ended, state: 'failed', reason: 'exited', exit_code: 3, ...changes });

  test.each<[what: string, finding: Finding, text: string]>([
    ['with which code it exited', finding('failed', { run: failed({}) }), 'exit code 3, after 42m'],
    ['which signal ended it', finding('failed', { run: failed({ signal: 'SIGSEGV' }) }), 'SIGSEGV, after 42m'],
    [
      'which limit it reached',
      finding('failed', { run: failed({ reason: 'memory_limit', exit_code: 137 }) }),
      'memory limit, after 42m',
    ],
    [
      'after what time it was ended',
      finding('timed_out', { run: makeRun({ ...ended, state: 'timed_out', reason: 'timeout' }) }),
      'after 42m',
    ],
    [
      'that it may reconnect',
      finding('lost', { run: makeRun({ ...ended, state: 'lost', final: false, reason: 'silence' }) }),
      'may reconnect',
    ],
    [
      'how long it took, and usually takes',
      finding('slow', { run: makeRun({ ...ended, state: 'succeeded' }), usual_ms: 600_400 }),
      'took 42m, usually 10m',
    ],
    [
      'how long it has been running',
      finding('slow', { run: makeRun({ ...ended, ended_at: null, state: 'running' }) }),
      'running for 6h, longer than expected',
    ],
    [
      'what is left running, without what is not its own',
      finding('leftovers', {
        run: makeRun({
          left_running: [
            { pid: 1, command_line: 'atd', relation: { parent: null, kept: false } },
            { pid: 7, command_line: 'sleep 900' },
          ],
        }),
      }),
      'sleep 900',
    ],
    [
      'why it was skipped',
      finding('skipped', { run: makeRun({ ...ended, state: 'skipped', reason: 'overlap' }) }),
      'another run was in its way',
    ],
    [
      'who killed it, and why',
      finding('killed', { kill: { id: 'x', requested_by: 'night shift', reason: 'fills the disk' } }),
      'by night shift: fills the disk',
    ],
  ])('%s', (_what, found, text) => {
    expect(detailText(found, NOW)).toBe(text);
  });
});

describe('what was late', () => {
  const overdue: OverdueRun = {
    job: 'backup',
    machine: 'web1',
    due_at: '2026-11-01T02:00:00Z',
    state: 'missed',
    since: '2026-11-01T03:00:00Z',
    judged_at: '2026-11-01T02:06:00Z',
    ended_at: '2026-11-01T06:02:03Z',
    run: '01KQ3XJ8V1B6D2T9P4M7Z5N0CA',
    started_at: '2026-11-01T06:02:00Z',
  };

  test.each([
    ['by how much', {}, 'came 4h 02m late at'],
    ['that it was not', { started_at: '2026-11-01T02:02:00Z' }, 'only its report was late: it started at'],
    ['that it never came', { run: null, started_at: null }, 'not expected any more since'],
  ])('says %s', (_what, fields, text) => {
    expect(arrivalText({ ...overdue, ...fields })).toBe(text);
  });
});

test('a job is where its worst finding is', () => {
  expect(sectionOf([finding('failed'), finding('killed', { is_over: true })])).toBe('open');
  expect(sectionOf([finding('failed', { is_over: true })])).toBe('over');
  expect(sectionOf([finding('skipped'), finding('killed', { is_over: true })])).toBe('decided');
});

test('the summary counts jobs, and says when there is nothing', () => {
  expect(summaryText({ open: 1, over: 2, decided: 0 })).toBe('1 job needs a look, 2 jobs recovered.');
  expect(summaryText({ open: 0, over: 0, decided: 3 })).toBe('Nothing needs a look, 3 jobs skipped or killed.');
  expect(summaryText({ open: 0, over: 0, decided: 0 })).toBe('Nothing to look at.');
});

function report(findings: Readonly<Record<string, Finding[]>>): Report {
  const time = '2026-11-01T08:00:00Z';
  return {
    since: time,
    until: time,
    jobs: Object.entries(findings).map(([job, own]) => ({ job, about: null, findings: own })),
    checked: { since: time, runs: 142, jobs: 12, machines: 1, compared: 3 },
    is_truncated: false,
  };
}

test('what was looked at is said in numbers', () => {
  expect(checkedText(report({}))).toBe('142 runs of 12 jobs on 1 machine started.');
});

test('a newer report offers what has come, and what has happened again', () => {
  const shown = report({ backup: [finding('failed', { count: 2 })], sync: [finding('late')] });
  expect(newerFindings(shown, shown)).toBe(0);
  const newer = report({ backup: [finding('failed', { count: 3 }), finding('slow')], mirror: [finding('lost')] });
  expect(newerFindings(shown, newer)).toBe(3);
});

import { describe, expect, test } from 'vitest';
import type { Target } from '#protocol/api';
import { KILL_STATES, TARGET_STATES } from '#protocol/kill';
import { progressText } from '../src/format/batch-labels.ts';
import {
  hitText,
  killText,
  matchText,
  meaningOf,
  optionsText,
  targetMeaning,
  toneOf,
} from '../src/format/kill-labels.ts';
import { batchProgress } from '../src/state/batch-progress.ts';
import { makeKill, RUN_ID, runId } from './make.ts';

const target = (changes: Partial<Target> = {}): Target => ({
  run: RUN_ID,
  machine: 'web-1',
  state: 'gone',
  signal: 'SIGTERM',
  exit_code: 143,
  survivors: [],
  unnamed_survivors: false,
  related: [],
  related_count: 0,
  timing: null,
  ...changes,
});

describe('what a kill is for', () => {
  test('one run is reported by its machine as soon as that is known', () => {
    expect(matchText(makeKill())).toBe(`one run, ${RUN_ID}`);
    expect(matchText(makeKill({ targets: [target()] }))).toBe('one run on web-1');
  });

  test('instance and machines', () => {
    const all = makeKill({ run: null });
    expect(matchText(all)).toBe('all runs, all machines');
    expect(matchText({ ...all, machine: 'web-1,db-*' })).toBe('on web-1, db-*');
    expect(matchText({ ...all, instance: 'backup_7', machine: 'web-1' })).toBe('instance backup_7, on web-1');
  });

  test('what it has found', () => {
    expect(hitText(makeKill({ targets: [target()] }))).toBe('the run on web-1');
    expect(hitText(makeKill({ run: null, targets: [target(), target({ run: runId(2) })] }))).toBe('2 runs');
    expect(hitText(makeKill({ run: null }))).toBe('all runs, all machines');
  });

  test('how', () => {
    expect(optionsText('SIGTERM', 5000)).toBe('SIGTERM, then SIGKILL after 5s');
    expect(optionsText('SIGTERM', 5000, 'related')).toBe('SIGTERM, then SIGKILL after 5s, including related processes');
    expect(optionsText('SIGINT', 0)).toBe('SIGINT, then SIGKILL immediately');
    expect(optionsText('SIGKILL', 5000)).toBe('SIGKILL immediately');
    expect(optionsText(null, null)).toBe('each run’s own signal and grace period');
    expect(optionsText('SIGINT', null)).toBe('SIGINT, then SIGKILL after each run’s own grace period');
    expect(optionsText(null, 5000)).toBe('each run’s own signal, then SIGKILL after 5s');
  });
});

describe('how it stands with it', () => {
  test('every state has words of its own', () => {
    expect(new Set(KILL_STATES.map((state) => meaningOf({ state, targets: [], found_nothing: false }))).size).toBe(
      KILL_STATES.length,
    );
    expect(new Set(TARGET_STATES.map((state) => targetMeaning(target({ state })))).size).toBe(TARGET_STATES.length);
  });

  test('a sent kill is shown as sent until a machine has confirmed it', () => {
    const sent = makeKill({ targets: [target({ state: 'sent' }), target({ run: runId(2), state: 'pending' })] });
    expect([killText(sent), meaningOf(sent)]).toEqual(['sent', 'Sent: no machine has confirmed it yet.']);
    expect(killText({ ...sent, state: 'delivered' })).toBe('in progress');
    expect(killText(makeKill({ targets: [target({ state: 'pending' })] }))).toBe('queued');
  });

  test('one that waits for machines differs from one without matching runs', () => {
    const pending = makeKill({ targets: [target({ state: 'pending' })] });
    expect(meaningOf(makeKill())).toMatch(/not matched with runs yet/);
    expect(meaningOf(pending)).toMatch(/disconnected/);
  });

  test('one without matching runs says that nothing is running and that it killed nothing', () => {
    const idle = makeKill({ run: null, found_nothing: true });
    expect([killText(idle), meaningOf(idle)]).toEqual([
      'nothing running',
      expect.stringMatching(/^No matching run right now\./),
    ]);
    const late = makeKill({ state: 'settled', found_nothing: true, targets: [target({ state: 'refused' })] });
    expect([killText(late), meaningOf(late)]).toEqual(['nothing to kill', expect.stringMatching(/^Nothing to kill/)]);
    expect(killText(makeKill({ state: 'expired', found_nothing: true }))).toBe('expired');
    expect(progressText(batchProgress([idle]))).toBe('nothing is running');
    expect(progressText(batchProgress([idle, makeKill()]))).toBe('1 with nothing running, 1 queued');
    expect(progressText(batchProgress([late]))).toBe('1 already ended');
  });

  test('a kill that processes survived is never shown as good', () => {
    const settled = makeKill({ state: 'settled', targets: [target({ survivors: [7] }), target({ run: runId(2) })] });
    expect(toneOf(settled)).toBe('bad');
    expect(meaningOf(settled)).toMatch(/processes survived/);
    expect(targetMeaning(target({ survivors: [7, 8] }))).toBe('Processes survived: 7, 8.');
    const unnamed = makeKill({ state: 'settled', targets: [target({ unnamed_survivors: true })] });
    expect([toneOf(unnamed), meaningOf(unnamed)]).toEqual(['bad', meaningOf(settled)]);
    const related = [{ pid: 7, command_line: 'tmux', parent: null, kept: false }];
    expect(targetMeaning(target({ related, related_count: 1 }))).toBe(
      'All processes ended. Related, not killed: 7 tmux.',
    );
    expect(targetMeaning(target({ related_count: 3 }))).toContain('3 processes, listed on the run’s page');
    expect(targetMeaning(target({ unnamed_survivors: true }))).toBe('Processes survived: a process with unknown PID.');
    expect(targetMeaning(target({ survivors: [7], unnamed_survivors: true }))).toBe(
      'Processes survived: 7 and a process with unknown PID.',
    );
  });

  test('nor is one with lost runs', () => {
    const settled = makeKill({ state: 'settled', targets: [target({ state: 'lost' })] });
    expect(toneOf(settled)).toBe('warn');
    expect(meaningOf(settled)).toMatch(/^1 run is lost; it will be killed if it reconnects.$/);
    expect(killText(settled)).toBe('waiting for lost runs');
    expect(toneOf(makeKill({ state: 'settled', targets: [target()] }))).toBe('good');
  });

  test('the signal is the one that was asked for', () => {
    expect(targetMeaning(target({ state: 'term', signal: 'SIGINT' }))).toMatch(/^SIGINT sent/);
  });
});

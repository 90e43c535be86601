import { describe, expect, test } from 'vitest';
import type { Target } from '#protocol/api';
import { KILL_STATES, TARGET_STATES } from '#protocol/kill';
import { progressText } from '../src/components/kill-bar.tsx';
import {
  hitText,
  killText,
  mannerText,
  matchText,
  meaningOf,
  targetMeaning,
  toneOf,
} from '../src/format/kill-labels.ts';
import { orderProgress } from '../src/state/order-progress.ts';
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
  ...changes,
});

describe('what a kill is for', () => {
  test('one run is told by its machine as soon as that is known', () => {
    expect(matchText(makeKill())).toBe(`one run, ${RUN_ID}`);
    expect(matchText(makeKill({ targets: [target()] }))).toBe('one run, on web-1');
  });

  test('instance and machines', () => {
    const all = makeKill({ run: null });
    expect(matchText(all)).toBe('all of it, on all machines');
    expect(matchText({ ...all, machine: 'web-1,db-*' })).toBe('on web-1, db-*');
    expect(matchText({ ...all, instance: 'backup_7', machine: 'web-1' })).toBe('instance backup_7, on web-1');
  });

  test('what it has found', () => {
    expect(hitText(makeKill({ targets: [target()] }))).toBe('the run on web-1');
    expect(hitText(makeKill({ run: null, targets: [target(), target({ run: runId(2) })] }))).toBe('2 runs');
    expect(hitText(makeKill({ run: null }))).toBe('all of it, on all machines');
  });

  test('how', () => {
    expect(mannerText('SIGTERM', 5000)).toBe('SIGTERM, and SIGKILL after 5s');
    expect(mannerText('SIGTERM', 5000, 'related')).toBe('SIGTERM, and SIGKILL after 5s; also what is only related');
    expect(mannerText('SIGINT', 0)).toBe('SIGINT, and SIGKILL right after it');
    expect(mannerText('SIGKILL', 5000)).toBe('SIGKILL at once');
    expect(mannerText(null, null)).toBe('each run’s own signal and grace');
    expect(mannerText('SIGINT', null)).toBe('SIGINT, and SIGKILL after each run’s own grace');
    expect(mannerText(null, 5000)).toBe('each run’s own signal, and SIGKILL after 5s');
  });
});

describe('how it stands with it', () => {
  test('every state has words of its own', () => {
    expect(new Set(KILL_STATES.map((state) => meaningOf({ state, targets: [], found_nothing: false }))).size).toBe(
      KILL_STATES.length,
    );
    expect(new Set(TARGET_STATES.map((state) => targetMeaning(target({ state })))).size).toBe(TARGET_STATES.length);
  });

  test('one that was sent is told as sent until a machine has answered', () => {
    const sent = makeKill({ targets: [target({ state: 'sent' }), target({ run: runId(2), state: 'pending' })] });
    expect([killText(sent), meaningOf(sent)]).toEqual(['sent', 'Stored and sent; no machine has answered yet.']);
    expect(killText({ ...sent, state: 'delivered' })).toBe('under way');
    expect(killText(makeKill({ targets: [target({ state: 'pending' })] }))).toBe('queued');
  });

  test('one that waits for machines is told apart from one that has found nothing', () => {
    const pending = makeKill({ targets: [target({ state: 'pending' })] });
    expect(meaningOf(makeKill())).toMatch(/no run was looked for yet/);
    expect(meaningOf(pending)).toMatch(/out of touch/);
  });

  test('one that has found nothing says that nothing runs, and nothing was ended by it', () => {
    const idle = makeKill({ run: null, found_nothing: true });
    expect([killText(idle), meaningOf(idle)]).toEqual([
      'nothing runs',
      expect.stringMatching(/^Nothing that it is for runs now\./),
    ]);
    const late = makeKill({ state: 'settled', found_nothing: true, targets: [target({ state: 'refused' })] });
    expect([killText(late), meaningOf(late)]).toEqual([
      'had ended',
      expect.stringMatching(/^Nothing that it is for was running any more/),
    ]);
    expect(killText(makeKill({ state: 'expired', found_nothing: true }))).toBe('expired');
    expect(progressText(orderProgress([idle]))).toBe('nothing of it runs now');
    expect(progressText(orderProgress([idle, makeKill()]))).toBe('1 of which nothing runs now, 1 stored');
    expect(progressText(orderProgress([late]))).toBe('1 had already ended');
  });

  test('what could not be ended is never told as good', () => {
    const settled = makeKill({ state: 'settled', targets: [target({ survivors: [7] }), target({ run: runId(2) })] });
    expect(toneOf(settled)).toBe('bad');
    expect(meaningOf(settled)).toMatch(/could not be ended/);
    expect(targetMeaning(target({ survivors: [7, 8] }))).toBe('Could not be ended: 7, 8.');
    const unnamed = makeKill({ state: 'settled', targets: [target({ unnamed_survivors: true })] });
    expect([toneOf(unnamed), meaningOf(unnamed)]).toEqual(['bad', meaningOf(settled)]);
    const related = [{ pid: 7, command_line: 'tmux', parent: null, kept: false }];
    expect(targetMeaning(target({ related, related_count: 1 }))).toBe(
      'Nothing of it is left. Related, not killed: 7 tmux.',
    );
    expect(targetMeaning(target({ related_count: 3 }))).toContain('3 processes, named on the page of the run');
    expect(targetMeaning(target({ unnamed_survivors: true }))).toBe(
      'Could not be ended: something whose process id is not known.',
    );
    expect(targetMeaning(target({ survivors: [7], unnamed_survivors: true }))).toBe(
      'Could not be ended: 7 and something whose process id is not known.',
    );
  });

  test('nor is what nobody knows the end of', () => {
    const settled = makeKill({ state: 'settled', targets: [target({ state: 'lost' })] });
    expect(toneOf(settled)).toBe('warn');
    expect(meaningOf(settled)).toMatch(/^Of 1 run nobody knows the end: what comes back is killed then.$/);
    expect(killText(settled)).toBe('kept for what is lost');
    expect(toneOf(makeKill({ state: 'settled', targets: [target()] }))).toBe('good');
  });

  test('the signal is the one that was asked for', () => {
    expect(targetMeaning(target({ state: 'term', signal: 'SIGINT' }))).toMatch(/^SIGINT was sent/);
  });
});

/** How long a run that asks waits. */
import { describe, expect, test } from 'vitest';
import type { Answer } from '#protocol/admission';
import type { AskOptions } from '../../src/ask/ask-options.ts';
import { type AskSituation, decideAsk, OUT_OF_REACH_MS } from '../../src/ask/patience.ts';

const OPTIONS: AskOptions = {
  overlap: 'wait',
  scope: 'job',
  timeoutMs: 3_000,
  ifUnreachable: 'run',
  waitTimeoutMs: null,
  skipExitCode: 75,
};

const NOTHING_YET: AskSituation = {
  answer: null,
  askedMs: 100,
  askedWallMs: 100,
  waitedMs: 0,
  unreachableMs: 100,
  link: 'connecting',
  isNotUnderstood: false,
};

function answered(fields: Partial<Answer>): AskSituation {
  const answer: Answer = { type: 'answer', decision: 'wait', reason: null, detail: null, blocked_by: [], fence: null };
  return { ...NOTHING_YET, link: 'connected', unreachableMs: null, answer: { ...answer, ...fields } };
}

function decided(situation: AskSituation, options: Partial<AskOptions> = {}) {
  return decideAsk(situation, { ...OPTIONS, ...options });
}

describe('before the first answer', () => {
  test('a run waits for it as long as --ask-timeout says, connected or not', () => {
    expect(decided(NOTHING_YET)).toEqual({ kind: 'wait', forMs: 2_900 });
    expect(decided({ ...NOTHING_YET, link: 'offline' })).toEqual({ kind: 'wait', forMs: 2_900 });
    expect(decided({ ...NOTHING_YET, link: 'connected', askedMs: 3_000 })).toEqual({ kind: 'unreachable' });
    expect(decided({ ...NOTHING_YET, askedMs: 1e9, askedWallMs: 1e9 }, { timeoutMs: null }).kind).toBe('wait');
  });

  test('on a machine that is so busy that its time hardly counts, four times that long at most', () => {
    expect(decided({ ...NOTHING_YET, askedWallMs: 11_999 })).toEqual({ kind: 'wait', forMs: 1 });
    expect(decided({ ...NOTHING_YET, askedWallMs: 12_000 })).toEqual({ kind: 'unreachable' });
  });

  test('a refusal, and a control plane that does not know the question, need no more patience', () => {
    for (const link of ['refused', 'rejected', 'given_up'] as const) {
      expect(decided({ ...NOTHING_YET, link })).toEqual({ kind: 'unreachable' });
    }
    expect(decided({ ...NOTHING_YET, isNotUnderstood: true })).toEqual({ kind: 'unreachable' });
  });
});

describe('an answer', () => {
  test('counts, whatever the link does', () => {
    expect(decided({ ...answered({ decision: 'start', fence: 7 }), link: 'offline' })).toEqual({
      kind: 'start',
      fence: 7,
    });
    expect(decided(answered({ decision: 'skip', reason: 'brake' }))).toMatchObject({ kind: 'skip', reason: 'brake' });
  });

  test('with a reason that this program does not know still says what to do', () => {
    expect(decided(answered({ decision: 'skip', reason: null }))).toMatchObject({ kind: 'skip', reason: 'overlap' });
  });
});

describe('a run that was told to wait', () => {
  test('waits for ever, without --wait-timeout', () => {
    expect(decided({ ...answered({}), waitedMs: 1e9 })).toEqual({ kind: 'wait', forMs: Number.POSITIVE_INFINITY });
  });

  test('is skipped when --wait-timeout is over, for what is in its way then', () => {
    const options = { waitTimeoutMs: 60_000 };
    expect(decided({ ...answered({}), waitedMs: 59_000 }, options)).toEqual({ kind: 'wait', forMs: 1_000 });
    expect(decided({ ...answered({ reason: 'overlap' }), waitedMs: 60_000 }, options)).toMatchObject({
      kind: 'skip',
      reason: 'overlap',
      isTimeUp: true,
    });
  });

  test('does not start because of a deploy, and does not wait for ever for a control plane that is gone', () => {
    const waiting = answered({});
    for (const link of ['offline', 'connecting', 'refused'] as const) {
      expect(decided({ ...waiting, link, unreachableMs: 4_000 })).toEqual({
        kind: 'wait',
        forMs: OUT_OF_REACH_MS - 4_000,
      });
      expect(decided({ ...waiting, link, unreachableMs: OUT_OF_REACH_MS })).toEqual({ kind: 'unreachable' });
    }
    expect(decided({ ...waiting, link: 'rejected', unreachableMs: 1 })).toEqual({ kind: 'unreachable' });
  });
});

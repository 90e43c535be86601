import { describe, expect, test } from 'vitest';
import { isLive, RUN_STATES } from '#protocol/run-state';
import { changeRun, type RunChange, type RunStatus } from '../durable/job/run-transitions.ts';

const STANDINGS: RunStatus[] = RUN_STATES.flatMap((state): RunStatus[] => {
  if (isLive(state)) return [{ state, final: false }];
  if (state === 'lost') return [false, true].map((final) => ({ state, final }));
  return [{ state, final: true }];
});

const CHANGES: RunChange[] = [
  { kind: 'asking' },
  { kind: 'alive' },
  { kind: 'signalled' },
  { kind: 'silent' },
  { kind: 'abandoned' },
  { kind: 'ended', reason: 'exited', exitCode: 0 },
  { kind: 'ended', reason: 'exited', exitCode: 3 },
  { kind: 'ended', reason: 'operator', exitCode: 143 },
  { kind: 'ended', reason: 'timeout', exitCode: 124 },
  { kind: 'ended', reason: 'start_failed', exitCode: 255 },
  { kind: 'ended', reason: 'offline_limit', exitCode: 253 },
  { kind: 'ended', reason: 'overlap', exitCode: 75 },
];

/** Every change that has an effect, from every standing; what is not here leaves things as they are. */
const EFFECTS: Record<string, string> = {
  'waiting + alive': 'running',
  'waiting + signalled': 'killing',
  'waiting + silent': 'lost?',
  'waiting + abandoned': 'lost',
  'waiting + ended exited 0': 'succeeded',
  'waiting + ended exited 3': 'failed',
  'waiting + ended operator 143': 'killed',
  'waiting + ended timeout 124': 'timed_out',
  'waiting + ended start_failed 255': 'errored',
  'waiting + ended offline_limit 253': 'lost',
  'waiting + ended overlap 75': 'skipped',
  'running + signalled': 'killing',
  'running + silent': 'lost?',
  'running + abandoned': 'lost',
  'running + ended exited 0': 'succeeded',
  'running + ended exited 3': 'failed',
  'running + ended operator 143': 'killed',
  'running + ended timeout 124': 'timed_out',
  'running + ended start_failed 255': 'errored',
  'running + ended offline_limit 253': 'lost',
  'running + ended overlap 75': 'skipped',
  'killing + silent': 'lost?',
  'killing + abandoned': 'lost',
  'killing + ended exited 0': 'succeeded',
  'killing + ended exited 3': 'failed',
  'killing + ended operator 143': 'killed',
  'killing + ended timeout 124': 'timed_out',
  'killing + ended start_failed 255': 'errored',
  'killing + ended offline_limit 253': 'lost',
  'killing + ended overlap 75': 'skipped',
  'lost? + asking': 'waiting',
  'lost? + alive': 'running',
  'lost? + abandoned': 'lost',
  'lost? + ended exited 0': 'succeeded',
  'lost? + ended exited 3': 'failed',
  'lost? + ended operator 143': 'killed',
  'lost? + ended timeout 124': 'timed_out',
  'lost? + ended start_failed 255': 'errored',
  'lost? + ended offline_limit 253': 'lost',
  'lost? + ended overlap 75': 'skipped',
};

const nameOf = ({ state, final }: RunStatus) => (state === 'lost' && !final ? 'lost?' : state);
const nameOfChange = (change: RunChange) =>
  change.kind === 'ended' ? `ended ${change.reason} ${change.exitCode}` : change.kind;

describe('the states of a run', () => {
  const cases = STANDINGS.flatMap((from) => CHANGES.map((change) => ({ from, change })));

  test.each(cases.map(({ from, change }) => [`${nameOf(from)} + ${nameOfChange(change)}`, from, change] as const))(
    '%s',
    (name, from, change) => {
      const to = changeRun(from, change);
      expect(to === null ? undefined : nameOf(to)).toBe(EFFECTS[name]);
    },
  );

  test('no row of the table is for a case that does not exist', () => {
    const names = new Set(cases.map(({ from, change }) => `${nameOf(from)} + ${nameOfChange(change)}`));
    expect(Object.keys(EFFECTS).filter((name) => !names.has(name))).toEqual([]);
  });
});

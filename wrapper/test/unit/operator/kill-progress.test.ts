import { expect, test } from 'vitest';
import type { Target } from '#protocol/api';
import { countOutcomes, KillProgress } from '../../../src/operator/kill/progress.ts';
import { aKill, aTarget } from '../../support/api-resources.ts';

const run = '01KB7Q0000AAAAAAAAAAAAAAAA';
const kill = aKill();

/** Takes the target's states one after another, each a second after the one before. */
function steps(...states: Partial<Target>[]) {
  const progress = new KillProgress();
  const names = states.map((fields, index) =>
    progress
      .take({ ...kill, seq: index + 1, targets: [aTarget({ run, ...fields })] }, (index + 1) * 1_000)
      .map(({ name, atMs }) => `${name} ${atMs}`),
  );
  return { progress, names };
}

test('each step is new once, at the time that the machine reports', () => {
  const timing = { sent_ms: 12, received_ms: 20, first_signal_ms: 31, last_process_gone_ms: null };
  const { names } = steps(
    { state: 'sent', timing: { ...timing, received_ms: null, first_signal_ms: null } },
    { state: 'term', signal: 'SIGTERM', timing },
    { state: 'kill', signal: 'SIGTERM', timing },
    { state: 'gone', signal: 'SIGTERM', timing: { ...timing, last_process_gone_ms: 3_100 } },
    { state: 'gone', signal: 'SIGTERM', exit_code: 143, timing: { ...timing, last_process_gone_ms: 3_100 } },
  );
  expect(names).toEqual([['sent 12'], ['signal 31'], ['sigkill 1031'], ['end 3100'], []]);
});

test('a report that passes several steps has them all, but none that nothing has reported', () => {
  const timing = { sent_ms: 12, received_ms: 20, first_signal_ms: 31, last_process_gone_ms: 40 };
  expect(steps({ state: 'gone', timing }).names).toEqual([['sent 12', 'signal 31', 'end 40']]);
  // Without times from an older wrapper: gone, which was sent, and nobody knows by which signal.
  expect(steps({ state: 'gone' }).names).toEqual([['sent 1000', 'end 1000']]);
  expect(steps({ state: 'refused' }).names).toEqual([['end 1000']]);
});

test('SIGKILL as the first signal is one step', () => {
  const { names } = steps({ state: 'term', signal: 'SIGKILL' }, { state: 'kill', signal: 'SIGKILL' });
  expect(names).toEqual([['sent 1000', 'signal 1000'], []]);
});

test('a run that was lost and returns is waited for again', () => {
  const { names, progress } = steps(
    { state: 'pending' },
    { state: 'lost' },
    { state: 'pending' },
    { state: 'sent' },
    { state: 'gone' },
  );
  expect(names).toEqual([['waiting 1000'], ['end 2000'], ['waiting 3000'], ['sent 4000'], ['end 5000']]);
  expect(progress.targets).toMatchObject([{ state: 'gone' }]);
});

test('an older version of a kill changes nothing', () => {
  const progress = new KillProgress();
  progress.take({ ...kill, state: 'settled', seq: 7, targets: [aTarget({ run, state: 'gone' })] }, 0);
  expect(progress.take({ ...kill, seq: 6, targets: [aTarget({ run, state: 'sent' })] }, 0)).toEqual([]);
  expect(progress.open).toEqual([]);
});

test('targets are counted by how they ended', () => {
  const targets = [
    aTarget({ state: 'gone' }),
    aTarget({ state: 'gone', survivors: [7] }),
    aTarget({ state: 'gone', unnamed_survivors: true }),
    aTarget({ state: 'refused' }),
    aTarget({ state: 'lost' }),
    aTarget({ state: 'kill' }),
  ];
  expect(countOutcomes(targets)).toEqual({ open: 1, gone: 1, survived: 2, refused: 1, lost: 1 });
});

/** `leash run --splay`. */
import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { splayDelayMs } from '../../src/run/splay.ts';
import { controlPlane, leashRun } from '../support/leash.ts';

test('nothing is started before the delay is over, and a signal ends the wait', async () => {
  const plane = await controlPlane();
  // On this machine the delay is more than half a day.
  const machine = Array.from({ length: 100 }, (_, index) => `web${index}`).find(
    (name) => splayDelayMs(86_400_000, name, 'test') > 43_200_000,
  );
  const waiting = leashRun(['echo', 'ran'], {
    plane,
    options: ['--splay', '1d', '--verbose', '--machine', machine ?? ''],
  });
  await waitFor('the delay to begin', () => /starts in \d+\.\d s \(--splay\)/.test(waiting.stderr));
  waiting.kill('SIGTERM');
  expect(await waiting.exited()).toEqual({ code: 143, signal: null });
  expect(waiting.stderr).toContain('ended by SIGTERM during the delay of --splay: nothing was started');
  expect(waiting.stdout.toString()).toBe('');
  expect(plane.runs.size).toBe(0);
});

test('after the delay the run is like any other', async () => {
  const plane = await controlPlane();
  const late = leashRun(['sh', '-c', 'echo ran; exit 3'], { plane, options: ['--splay', '20ms'] });
  expect(await late.exited()).toEqual({ code: 3, signal: null });
  expect(late.stdout.toString()).toBe('ran\n');
  expect(late.stderr).toBe('');
});

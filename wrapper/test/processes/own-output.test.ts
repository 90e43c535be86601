/** What becomes of the wrapper, and of the command, when nobody reads the wrapper's own stdout. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { newCommand } from '../support/control-plane.ts';
import { controlPlane, leashRun, marker, shell } from '../support/leash.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { until } from '../support/until.ts';

/** A pipe as a shell makes it, which nobody reads. */
function unreadPipe(): { readonly fd: number } {
  const fifo = path.join(temporaryDirectory(), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const fd = fs.openSync(fifo, fs.constants.O_RDWR);
  onTestFinished(() => fs.closeSync(fd));
  return { fd };
}

test('a stdout that nobody reads stops neither the command, nor its output, nor a kill, nor the exit', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const pipe = unreadPipe();
  const leash = leashRun(shell('seq 1 1000000; echo end; while :; do sleep 0.05; done', mark), {
    plane,
    stdio: ['ignore', pipe.fd, pipe.fd],
  });
  await until('all output', () => plane.stored.includes('end\n'), 15_000);
  plane.kill(newCommand());
  expect((await leash.exited()).code).toBe(143);
}, 30_000);

test('a stdout that is closed stops nothing either', async () => {
  const plane = await controlPlane();
  const leash = leashRun(['sh', '-c', 'seq 1 300000; exit 3'], { plane });
  leash.process.stdout?.destroy();
  expect((await leash.exited()).code).toBe(3);
  expect(plane.stored.toString().endsWith('300000\n')).toBe(true);
});

test('a reader that is slow but reads gets every byte', async () => {
  const mark = marker();
  const leash = leashRun(shell('seq 1 700000', mark), { stdio: ['ignore', 'pipe', 'pipe'] });
  const { stdout } = leash.process;
  // Some tens of milliseconds between reads: slower by far than the command prints.
  stdout?.on('data', () => {
    stdout.pause();
    setTimeout(() => stdout.resume(), 20);
  });
  expect((await leash.exited()).code).toBe(0);
  expect(leash.stdout.length).toBe(4_788_895);
  expect(leash.stderr).not.toContain('dropped');
}, 30_000);

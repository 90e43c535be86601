/** What becomes of the wrapper, and of the command, when nobody reads the wrapper's own stdout. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { newCommand } from '../support/control-plane.ts';
import { controlPlane, leashRun, marker, shell } from '../support/leash.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** A pipe as a shell makes it, which nobody reads. */
function unreadPipe(): { readonly fd: number } {
  const fifo = path.join(temporaryDirectory(), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const fd = fs.openSync(fifo, fs.constants.O_RDWR);
  onTestFinished(() => fs.closeSync(fd));
  return { fd };
}

test('a stdout that nobody reads makes the command wait, and stops neither a kill nor the exit', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const pipe = unreadPipe();
  const leash = leashRun(shell('seq 1 1000000; while :; do sleep 0.05; done', mark), {
    plane,
    stdio: ['ignore', pipe.fd, pipe.fd],
  });
  await waitFor('a full pipe', () => plane.stored.length > 1024 * 1024);
  plane.kill(newCommand());
  expect((await leash.exited()).code).toBe(143);
});

test.each(['--quiet', '--verbose'])(
  'a line of the wrapper’s own that nobody reads does not keep it from leaving (%s)',
  async (option) => {
    const pipe = unreadPipe();
    const fill = fs.openSync(`/proc/self/fd/${pipe.fd}`, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK);
    onTestFinished(() => fs.closeSync(fill));
    expect(() => {
      for (;;) fs.writeSync(fill, Buffer.alloc(4096));
    }).toThrow('EAGAIN');
    // It says that nobody supervises the run.
    const leash = leashRun(['sh', '-c', 'exit 5'], { options: [option], stdio: ['ignore', 'ignore', pipe.fd] });
    expect((await leash.exited()).code).toBe(5);
  },
);

test('a reader that stops for long and goes on gets every byte', async () => {
  const mark = marker();
  const leash = leashRun(shell('seq 1 700000', mark), { stdio: ['ignore', 'pipe', 'pipe'] });
  leash.process.stdout?.pause();
  // Longer than any patience the wrapper could have with a reader that it takes for gone.
  setTimeout(() => leash.process.stdout?.resume(), 4_000);
  expect((await leash.exited()).code).toBe(0);
  expect(leash.stdout.length).toBe(4_788_895);
});

test('a reader that is gone ends a command that goes on printing, as it would without us', async () => {
  const plane = await controlPlane();
  const leash = leashRun(['yes'], { plane });
  leash.process.stdout?.once('data', () => leash.process.stdout?.destroy());
  expect((await leash.exited()).code).not.toBe(0);
  await plane.completed();
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
});

test.each(['SIGCONT', 'SIGUSR1', 'SIGUSR2'] as const)(
  '%s costs a slow reader nothing when the command has ended',
  async (signal) => {
    const mark = marker();
    const leash = leashRun(shell('head -c 900000 /dev/zero', mark), {
      options: ['-v'],
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    leash.process.stdout?.pause();
    await waitFor('the end of the command', () => leash.stderr.includes('ended by itself'));
    for (let each = 0; each < 3; each += 1) {
      leash.kill(signal);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    leash.process.stdout?.resume();
    expect((await leash.exited()).code).toBe(0);
    expect(leash.stdout.length).toBe(900_000);
  },
);

test('Ctrl-Z stops the wrapper even when the command has ended, until it is told to go on', async () => {
  const mark = marker();
  const leash = leashRun(shell('head -c 900000 /dev/zero', mark), {
    options: ['-v'],
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  leash.process.stdout?.pause();
  await waitFor('the end of the command', () => leash.stderr.includes('ended by itself'));
  const stat = () => fs.readFileSync(`/proc/${leash.process.pid}/stat`, 'latin1');
  const isStopped = () => /\) T /.test(stat());
  await waitFor('a wrapper that has stopped', () => {
    leash.kill('SIGTSTP');
    return isStopped();
  });
  // A SIGTSTP that it has not yet heard of stops it once more.
  await waitFor('a wrapper that goes on', () => {
    leash.kill('SIGCONT');
    return !isStopped();
  });
  leash.process.stdout?.resume();
  await waitFor('its end', () => {
    leash.kill('SIGCONT');
    return leash.process.exitCode !== null;
  });
  expect((await leash.exited()).code).toBe(0);
  expect(leash.stdout.length).toBe(900_000);
});

test('output that a full disk does not take is no success, and the command is not killed for it', async () => {
  const plane = await controlPlane();
  const full = fs.openSync('/dev/full', 'w');
  const leash = leashRun(['sh', '-c', 'echo one; sleep 0.2; echo two'], { plane, stdio: ['ignore', full, 'pipe'] });
  fs.closeSync(full);
  expect(await leash.exited()).toEqual({ code: 255, signal: null });
  expect(await plane.completed()).toMatchObject({ exit_code: 255, command_exit_code: 0, reason: 'wrapper_failed' });
  expect(plane.stored.toString()).toBe('one\ntwo\n');
  expect(leash.stderr).toMatch(/ENOSPC/);
});

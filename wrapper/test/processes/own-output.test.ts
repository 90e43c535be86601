/** What becomes of the wrapper, and of the command, when nobody reads the wrapper's own stdout. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { newKillId } from '#testing/fake-control-plane';
import { IS_PROOF } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { MOVABLE_CLOCK, moveClock } from '../support/clock.ts';
import { controlPlane, leashRun, marker, shell, WAIT } from '../support/leash.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** A pipe as a shell makes it, which nobody reads. */
function unreadPipe(): { readonly fd: number } {
  const fifo = path.join(temporaryDirectory(), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const fd = fs.openSync(fifo, fs.constants.O_RDWR);
  onTestFinished(() => fs.closeSync(fd));
  return { fd };
}

const MIB = 1024 * 1024;
/** What a pipe holds. */
const PIPE_BYTES = 64 * 1024;

/** Reads so many bytes of a pipe, in the background. */
async function readAll(fd: number, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let left = bytes;
  while (left > 0) {
    const chunk = Buffer.alloc(Math.min(left, PIPE_BYTES));
    const length = await new Promise<number>((resolve, reject) => {
      fs.read(fd, chunk, 0, chunk.length, null, (error, read) => (error === null ? resolve(read) : reject(error)));
    });
    chunks.push(chunk.subarray(0, length));
    left -= length;
  }
  return Buffer.concat(chunks);
}

test('a stdout that nobody reads makes the command wait, and stops neither a kill nor the exit', async () => {
  const plane = await controlPlane();
  const pipe = unreadPipe();
  const leash = leashRun(shell(`yes | head -c 4000000; ${WAIT}`, marker()), {
    plane,
    stdio: ['ignore', pipe.fd, pipe.fd],
  });
  await waitFor('a full pipe', () => plane.stored.length >= MIB);
  plane.kill(newKillId());
  expect((await leash.exited()).code).toBe(143);
});

test('a reader that stops for long and continues gets every byte, and the command was not silent meanwhile', async () => {
  const plane = await controlPlane();
  const pipe = unreadPipe();
  const leash = leashRun(shell('yes | head -c 4000000; exit 6', marker()), {
    plane,
    options: ['--idle-timeout', '1h'],
    env: MOVABLE_CLOCK,
    stdio: ['ignore', pipe.fd, 'pipe'],
  });
  // From here on it is made to wait.
  await waitFor('a full queue', () => plane.stored.length >= MIB + PIPE_BYTES);
  // Longer than any patience the wrapper could have with a reader that it takes for gone.
  await moveClock(leash, 2);
  const read = await readAll(pipe.fd, 4_000_000);
  expect((await leash.exited()).code).toBe(6);
  expect(read.equals(Buffer.from('y\n'.repeat(2_000_000)))).toBe(true);
});

test.each(IS_PROOF ? ['--quiet', '--verbose'] : ['--verbose'])(
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

test('a reader that is gone ends a command that keeps printing, as it would without us', async () => {
  const plane = await controlPlane();
  const leash = leashRun(['yes'], { plane });
  leash.process.stdout?.once('data', () => leash.process.stdout?.destroy());
  expect((await leash.exited()).code).not.toBe(0);
  await plane.completed();
});

test('when the command has ended, signals cost a slow reader nothing, and Ctrl-Z stops the wrapper until SIGCONT', async () => {
  const leash = leashRun(shell('head -c 900000 /dev/zero', marker()), {
    options: ['-v'],
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  leash.process.stdout?.pause();
  await waitFor('the end of the command', () => leash.stderr.includes('ended by itself'));
  const stat = () => fs.readFileSync(`/proc/${leash.process.pid}/stat`, 'latin1');
  const isStopped = () => /\) T /.test(stat());
  for (const signal of ['SIGCONT', 'SIGUSR1', 'SIGUSR2'] as const) leash.kill(signal);
  // It takes signals in order, so it has taken the others when it stops.
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

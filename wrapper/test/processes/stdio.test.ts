/** The command's stdout and stderr are what a shell's pipes would be. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { Backpressure } from '../../src/output/backpressure.ts';
import type { Writer } from '../../src/output/descriptor.ts';
import { type OutputEvents, readOutput } from '../../src/output/read-output.ts';
import { Sink } from '../../src/output/sink.ts';
import { UnackedOutput } from '../../src/output/unacked-output.ts';
import { silent } from '../support/silent-log.ts';
import { greedy, ran, start } from '../support/start.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const SUPERVISE = fileURLToPath(new URL('../support/supervise.ts', import.meta.url));

const sinks = (stdout: Writer = greedy) => ({ stdout: new Sink(stdout), stderr: new Sink(greedy) });

/** Counts the bytes of each stream. */
function counter() {
  const counted = { stdout: 0, stderr: 0 };
  const events: OutputEvents = {
    output: (stream, each) => {
      counted[stream] += each.length;
    },
    resumed() {},
  };
  return { events, counted: () => counted };
}

test('the command can open its output by path', async () => {
  const script = 'echo 1 >/dev/stdout; echo 2 >/dev/stderr; echo 3 | tee /dev/stderr; echo 4 >/proc/self/fd/2';
  const { stdout, stderr, remark } = await ran(['sh', '-c', script]);
  expect({ stdout, stderr, remark }).toEqual({ stdout: '1\n3\n', stderr: '2\n3\n4\n', remark: null });
});

test('merged output keeps its exact order', async () => {
  const script = 'i=0; while [ $i -lt 500 ]; do echo o$i; echo e$i >&2; i=$((i + 1)); done';
  const { stdout, stderr } = await ran(['sh', '-c', script], { merge: true });
  expect(stdout).toBe(Array.from({ length: 500 }, (_, i) => `o${i}\ne${i}\n`).join(''));
  expect(stderr).toBe('');
});

test('any bytes pass', async () => {
  const file = path.join(temporaryDirectory(), 'bytes');
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
  fs.writeFileSync(file, bytes);
  expect((await ran(['cat', file])).stdout).toBe(bytes.toString('latin1'));
});

test('the command sees pipes in blocking mode, and nothing of them is left in the file system', async () => {
  const { stdout } = await ran(['sh', '-c', 'readlink /proc/$$/fd/1; cat /proc/$$/fdinfo/1 /proc/$$/fdinfo/2']);
  const [link = ''] = stdout.split('\n');
  const flags = [...stdout.matchAll(/^flags:\s*(\d+)$/gm)].map((each) => Number.parseInt(each[1] ?? '', 8));
  expect(flags.map((each) => each & fs.constants.O_NONBLOCK)).toEqual([0, 0]);
  expect(link).toContain('(deleted)');
  expect(fs.existsSync(path.dirname(link.replace(' (deleted)', '')))).toBe(false);
});

test.each([false, true])(
  'without mkfifo the output still arrives, and a remark says what is missing (merge: %s)',
  async (merge) => {
    vi.stubEnv('PATH', '/nonexistent');
    onTestFinished(() => void vi.unstubAllEnvs());
    const { stdout, stderr, remark } = await ran(['/bin/sh', '-c', 'echo out; echo err >&2'], { env: {}, merge });
    expect({ stdout, stderr }).toEqual(
      merge ? { stdout: 'out\nerr\n', stderr: '' } : { stdout: 'out\n', stderr: 'err\n' },
    );
    expect(remark).toContain('mkfifo');
  },
);

test('without mkfifo nothing is lost that was printed before anybody read', async () => {
  vi.stubEnv('PATH', '/nonexistent');
  onTestFinished(() => void vi.unstubAllEnvs());
  const started = await start(['/bin/sh', '-c', 'echo out'], { env: {} });
  await started.exited;
  // Node sees to what is left in its streams after it has told the exit.
  await Promise.race([started.output.stdout.ended, setTimeout(100)]);
  const { events, counted } = counter();
  await readOutput(started.output, sinks(), events, silent).finished();
  expect(counted().stdout).toBe('out\n'.length);
});

test('something left behind is reported, is not stopped, and gets SIGPIPE when its pipe is given up', async () => {
  const file = path.join(temporaryDirectory(), 'ended');
  const script = `(trap '' PIPE; while echo tick 2>/dev/null; do sleep 0.02; done; echo gone >${file}) & echo done >&2`;
  const started = await start(['sh', '-c', script]);
  const { events, counted } = counter();
  const reader = readOutput(started.output, sinks(), events, silent);
  expect(await started.exited).toEqual({ kind: 'exited', code: 0 });
  // The one left behind has stderr too.
  expect(await reader.finished()).toEqual(['stdout', 'stderr']);
  const before = counted().stdout;
  await waitFor('further ticks', () => counted().stdout > before + 10);
  expect(fs.existsSync(file)).toBe(false);
  reader.close();
  await waitFor('a failed write', () => fs.existsSync(file));
});

test('all that was printed is read before it is finished, and nobody holds anything', async () => {
  const started = await start(['sh', '-c', 'seq 1 100000']);
  const { events, counted } = counter();
  const reader = readOutput(started.output, sinks(), events, silent);
  await started.exited;
  expect(await reader.finished()).toEqual([]);
  expect(counted().stdout).toBe(588_895);
});

test('a reader of ours that has gone ends the command by SIGPIPE', async () => {
  const gone: Writer = { ...greedy, writeNow: () => ({ kind: 'broken', readerGone: true, why: 'EPIPE' }) };
  const started = await start(['sh', '-c', 'exec yes']);
  readOutput(started.output, sinks(gone), counter().events, silent);
  expect(await started.exited).toMatchObject({ kind: 'signaled', signal: 'SIGPIPE' });
});

test('a disk of ours that is full does not end the command', async () => {
  const full: Writer = { ...greedy, writeNow: () => ({ kind: 'broken', readerGone: false, why: 'ENOSPC' }) };
  const started = await start(['sh', '-c', 'seq 1 100000; exit 3']);
  const { events, counted } = counter();
  readOutput(started.output, sinks(full), events, silent);
  expect(await started.exited).toEqual({ kind: 'exited', code: 3 });
  await waitFor('all of it', () => counted().stdout === 588_895);
});

test('what is printed in one go waits for a disk that takes it, and none of it is left out', async () => {
  const output = new UnackedOutput(400_000, () => {});
  const backpressure = new Backpressure(output, 600_000);
  output.expectSpool();
  const started = await start(['sh', '-c', 'head -c 2000000 /dev/zero; head -c 2000000 /dev/zero >&2']);
  const events: OutputEvents = { output: (stream, bytes) => output.append(stream, bytes), resumed() {} };
  const reader = readOutput(started.output, sinks(), events, silent, backpressure);
  await waitFor('the brake', () => backpressure.isActive());
  const limit = 100_000_000;
  output.useSpool(temporaryDirectory(), { bytes: limit, recompute: async () => limit });
  expect(await started.exited).toEqual({ kind: 'exited', code: 0 });
  expect(await reader.finished()).toEqual([]);
  expect([output.end, output.droppedBytes]).toEqual([4_000_000, 0]);
  output.close();
});

test('while our reader is behind the command waits, and after its exit only a pipeful more is taken', async () => {
  const stopped: Writer = { writeNow: () => ({ kind: 'full' }), write: () => {}, isTerminal: false };
  const started = await start(['sh', '-c', 'yes & trap "exit 0" USR1; echo ready >&2; while :; do sleep 0.02; done']);
  const { events, counted } = counter();
  const reader = readOutput(started.output, sinks(stopped), events, silent);
  const limit = 1024 * 1024;
  await waitFor('a full queue', () => counted().stdout >= limit && counted().stderr > 0);
  process.kill(started.pid, 'SIGUSR1');
  await started.exited;
  expect(counted().stdout).toBeLessThan(1.2 * limit);
  expect(await reader.finished()).toContain('stdout');
  expect(counted().stdout).toBeGreaterThan(1.5 * limit);
  expect(counted().stdout).toBeLessThan(2.2 * limit);
});

test('reading can be handed to another handler in the middle', async () => {
  const next = path.join(temporaryDirectory(), 'next');
  execFileSync('mkfifo', [next]);
  const started = await start(['sh', '-c', 'echo first; read -r _ <"$1"; echo second', 'sh', next]);
  const seen: string[] = [];
  started.output.stdout.read((bytes) => {
    seen.push(`a:${Buffer.from(bytes)}`);
    started.output.stdout.read((later) => void seen.push(`b:${Buffer.from(later)}`));
    fs.writeFile(next, '\n', () => {});
  });
  await started.exited;
  await started.output.stdout.ended;
  expect(seen).toEqual(['a:first\n', 'b:second\n']);
});

const hasScript = spawnSync('script', ['--version']).status === 0;

test.runIf(hasScript)('a terminal that nobody reads does not hold the command up', async () => {
  const place = temporaryDirectory();
  const [fifo, ended] = [path.join(place, 'fifo'), path.join(place, 'ended')];
  execFileSync('mkfifo', [fifo]);
  const unread = fs.openSync(fifo, fs.constants.O_RDWR);
  // `script` gives it a terminal and can't pass on what is printed there.
  const command = `${process.execPath} ${SUPERVISE} sh -c 'seq 1 700000; echo $? >${ended}'`;
  const terminal = spawn('script', ['-qfc', command, '/dev/null'], { stdio: ['ignore', unread, 'ignore'] });
  onTestFinished(() => {
    terminal.kill('SIGKILL');
    fs.closeSync(unread);
  });
  await waitFor('the end of the command', () => fs.existsSync(ended) && fs.readFileSync(ended, 'utf8') === '0\n');
});

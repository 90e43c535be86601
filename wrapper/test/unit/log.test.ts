import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { type LogOptions, openLog } from '../../src/logging/log.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** A log, and what it puts on stderr. */
function logging(options: Partial<LogOptions>) {
  let shown = '';
  const sink = {
    write: (bytes: Uint8Array) => {
      shown += Buffer.from(bytes).toString();
    },
  };
  const log = openLog({ sink, verbose: false, file: null, label: 'backup 01RUN', ...options });
  return { log, sink, shown: () => shown };
}

const inNewDirectory = () => path.join(temporaryDirectory(), 'leash.log');
const linesOf = (file: string) => fs.readFileSync(file, 'utf8').split('\n').slice(0, -1);

test('without a file, what must be known goes to stderr, and the details with --verbose', async () => {
  const quiet = logging({});
  quiet.log.warn('told');
  quiet.log.info('noted');
  await quiet.log.drained();
  expect(quiet.shown()).toBe('leash: told\n');
  const verbose = logging({});
  const log = openLog({ sink: verbose.sink, verbose: true, file: null, label: '' });
  log.warn('told');
  log.info('noted');
  expect(verbose.shown()).toBe('leash: told\nleash: noted\n');
});

test('the file has everything, with the time, a level and whose line it is', async () => {
  const file = inNewDirectory();
  const before = Date.now();
  const { log, shown } = logging({ file });
  log.warn('told');
  log.info('noted');
  await log.drained();
  const lines = linesOf(file).map((line) => /^(\S+) (.*)$/.exec(line));
  expect(lines.map((match) => match?.[2])).toEqual(['notice [backup 01RUN] told', 'info [backup 01RUN] noted']);
  for (const match of lines) {
    expect(match?.[1]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const at = Date.parse(match?.[1] ?? '');
    expect(at).toBeGreaterThanOrEqual(before);
    expect(at).toBeLessThanOrEqual(Date.now());
  }
  expect(shown()).toBe('leash: told\n');
});

test('a new file is for its owner alone, an existing one is added to and stays as it is', async () => {
  const file = inNewDirectory();
  const first = logging({ file });
  first.log.warn('one');
  await first.log.drained();
  expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  fs.chmodSync(file, 0o644);
  const second = logging({ file });
  second.log.warn('two');
  await second.log.drained();
  expect(fs.statSync(file).mode & 0o777).toBe(0o644);
  expect(linesOf(file).map((line) => line.slice(-3))).toEqual(['one', 'two']);
});

test('several runs share a file without mixing their lines', async () => {
  const file = inNewDirectory();
  const runs = ['a', 'b', 'c'].map((name) => ({ name, ...logging({ file, label: name }) }));
  for (let each = 0; each < 200; each += 1) for (const { name, log } of runs) log.info(`${name.repeat(300)} ${each}`);
  await waitFor('all lines', () => fs.existsSync(file) && linesOf(file).length === 600);
  for (const { name } of runs) {
    const ours = linesOf(file).filter((line) => line.includes(`[${name}]`));
    expect(ours.map((line) => line.slice(line.indexOf('[')))).toEqual(
      Array.from({ length: 200 }, (_, each) => `[${name}] ${name.repeat(300)} ${each}`),
    );
  }
});

test('nothing in a line can look like another line or reach a terminal as a command', async () => {
  const file = inNewDirectory();
  const { log, shown } = logging({ file, label: 'back\nup' });
  log.warn('one\r\n2026-01-01T00:00:00.000Z notice [x] two\u001b[2J\u009b2J \u202egpj.exe \udce9');
  await log.drained();
  expect(shown()).toBe(
    'leash: one<U+000D><U+000A>2026-01-01T00:00:00.000Z notice [x] two<U+001B>[2J<U+009B>2J <U+202E>gpj.exe \\xe9\n',
  );
  expect(linesOf(file)).toEqual([expect.stringContaining('[back<U+000A>up] one<U+000D><U+000A>2026')]);
});

test('secrets are taken out of the lines, on stderr and in the file', async () => {
  const file = inNewDirectory();
  const { log, shown } = logging({ file, verbose: true, redact: (line) => line.replaceAll('s3\tcret', '[REDACTED]') });
  log.warn('a s3\tcret');
  log.info('b s3\tcret');
  await log.drained();
  expect(shown()).toBe('leash: a [REDACTED]\nleash: b [REDACTED]\n');
  expect(fs.readFileSync(file, 'utf8')).not.toContain('cret');
});

test('a missing directory is reported once and not created', async () => {
  const file = path.join(temporaryDirectory(), 'missing', 'leash.log');
  const { log, shown } = logging({ file });
  log.warn('one');
  log.warn('two');
  await log.drained();
  log.info('three');
  await log.drained();
  expect(shown().split('\n').slice(0, -1).sort()).toEqual([
    'leash: one',
    `leash: the log file ${file} can't be written; the run continues without it: its directory does not exist; create it`,
    'leash: two',
  ]);
  expect(fs.existsSync(path.dirname(file))).toBe(false);
});

test('a file that could not be written is written as soon as it can be', async () => {
  const directory = path.join(temporaryDirectory(), 'late');
  const file = path.join(directory, 'leash.log');
  const { log } = logging({ file });
  log.warn('lost');
  await log.drained();
  fs.mkdirSync(directory);
  log.warn('kept');
  await log.drained();
  expect(linesOf(file)).toEqual([expect.stringContaining('kept')]);
});

test.runIf(fs.existsSync('/dev/full'))('a full disk is reported once', async () => {
  const { log, shown } = logging({ file: '/dev/full' });
  for (let each = 0; each < 5; each += 1) log.info(`line ${each}`);
  await log.drained();
  log.info('more');
  await log.drained();
  expect(shown()).toMatch(/^leash: the log file \/dev\/full can't be written.*ENOSPC.*\n$/);
});

test('a directory and a pipe that nobody reads are reported and hold nothing up', async () => {
  const directory = temporaryDirectory();
  const fifo = path.join(directory, 'fifo');
  execFileSync('mkfifo', [fifo]);
  for (const file of [directory, fifo]) {
    const { log, shown } = logging({ file });
    log.info('line');
    await log.drained();
    expect(shown()).toContain(`the log file ${file} can't be written`);
  }
});

test('after a rotation lines go to the new file, and those from before stay in the old one', async () => {
  const file = inNewDirectory();
  const { log, shown } = logging({ file });
  log.info('before');
  await log.drained();
  fs.renameSync(file, `${file}.1`);
  await waitFor('a new file', async () => {
    log.info('after');
    await log.drained();
    return fs.existsSync(file);
  });
  expect(linesOf(`${file}.1`)[0]).toContain('before');
  expect(linesOf(file).every((line) => line.endsWith('after'))).toBe(true);
  // Now the way logrotate's `create` does it: the new file is there at once.
  fs.renameSync(file, `${file}.2`);
  fs.writeFileSync(file, '');
  await waitFor('a line in the new file', async () => {
    log.info('later');
    await log.drained();
    return fs.statSync(file).size > 0;
  });
  expect(shown()).toBe('');
});

test('a rotation by copy and truncate leaves no hole', async () => {
  const file = inNewDirectory();
  const { log } = logging({ file });
  log.info('before');
  await log.drained();
  fs.truncateSync(file, 0);
  log.info('after');
  await log.drained();
  expect(linesOf(file)).toEqual([expect.stringMatching(/^\d.*after$/)]);
});

test('lines beyond what a slow disk may be owed are counted, not kept', async () => {
  const file = inNewDirectory();
  const { log } = logging({ file });
  for (let each = 0; each < 5_000; each += 1) log.info(`line ${each}`);
  await waitFor(
    'the end',
    () => fs.existsSync(file) && linesOf(file).find((line) => line.includes('lines are missing here')),
  );
  const written = linesOf(file).filter((line) => line.includes('] line ')).length;
  const [dropped] = linesOf(file).flatMap(
    (line) => /^\S+ notice \[backup 01RUN\] (\d+) lines are missing/.exec(line)?.[1] ?? [],
  );
  expect(written + Number(dropped)).toBe(5_000);
});

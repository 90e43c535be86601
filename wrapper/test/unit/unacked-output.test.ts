import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { WAIT_LIMIT_MS } from '#testing/patience';
import { waitFor } from '#testing/wait-for';
import type { OutputPart } from '../../src/buffer/output-buffer.ts';
import { OutputJournal } from '../../src/journal/output-journal.ts';
import { UnackedOutput } from '../../src/output/unacked-output.ts';
import { RECORD_HEADER_BYTES } from '../../src/spool/record.ts';
import { SpooledOutput } from '../../src/spool/spooled-output.ts';
import { patternBytes } from '../support/pattern.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const MIB = 1024 * 1024;

interface Fixture {
  readonly output: UnackedOutput;
  readonly directory: string;
  readonly troubles: string[];
}

function spooled({ capacityBytes = 256 * 1024, limitBytes = 64 * MIB } = {}): Fixture {
  const directory = temporaryDirectory();
  const troubles: string[] = [];
  const output = new UnackedOutput(capacityBytes, (why) => troubles.push(why));
  output.useSpool(directory, { bytes: limitBytes, recompute: async () => limitBytes });
  onTestFinished(() => output.close());
  return { output, directory, troubles };
}

/** Adds `count` chunks of the pattern, however far behind the disk is. */
async function fill(output: UnackedOutput, count: number, chunkBytes = 20_000): Promise<void> {
  for (let each = 0; each < count; each += 1) {
    output.append(each % 5 === 0 ? 'stderr' : 'stdout', patternBytes(output.end, chunkBytes));
    await new Promise(setImmediate);
  }
}

/** Adds `count` chunks of the pattern, and lets the disk keep up. */
async function fillDisk(output: UnackedOutput, count: number): Promise<void> {
  for (let each = 0; each < count; each += 5) {
    await fill(output, 5);
    expect(await output.flush(WAIT_LIMIT_MS)).toEqual({ kind: 'stored' });
  }
}

type Readable = UnackedOutput | SpooledOutput;

/** All chunks from `from` on; each byte is checked. */
async function readAll(output: Readable, from = output.start, maxBytes = 100_000): Promise<OutputPart[]> {
  const chunks: OutputPart[] = [];
  for (let at = from; at < output.end; ) {
    const chunk = output.read(at, maxBytes);
    if (chunk === null) throw new Error(`nothing to read at ${at}`);
    if (chunk.kind === 'later') {
      await new Promise<void>((resolve) => {
        output.onReadable = resolve;
      });
      continue;
    }
    if (chunk.kind === 'gap') {
      expect(chunk.from).toBe(at);
      expect(chunk.to).toBeGreaterThan(at);
      at = chunk.to;
      chunks.push(chunk);
    } else {
      expect(chunk.start).toBe(at);
      expect(patternBytes(at, chunk.bytes.length).equals(chunk.bytes)).toBe(true);
      at += chunk.bytes.length;
      chunks.push({ ...chunk, bytes: Buffer.from(chunk.bytes) });
    }
  }
  return chunks;
}

function gaps(chunks: readonly OutputPart[]): OutputPart[] {
  return chunks.filter((each) => each.kind === 'gap');
}

function missing(chunks: readonly OutputPart[]): number {
  return chunks.reduce((sum, each) => sum + (each.kind === 'gap' ? each.to - each.from : 0), 0);
}

function files(directory: string): string[] {
  return fs.readdirSync(directory).sort();
}

function sizeOf(directory: string): number {
  return files(directory).reduce((sum, name) => {
    // It may be deleted meanwhile.
    return sum + (fs.statSync(path.join(directory, name), { throwIfNoEntry: false })?.size ?? 0);
  }, 0);
}

test('without a spool, memory is limited', async () => {
  const output = new UnackedOutput(256 * 1024, () => {});
  await fill(output, 50);
  const chunks = await readAll(output);
  expect(gaps(chunks)).toHaveLength(1);
  expect(missing(chunks)).toBe(output.droppedBytes);
  expect(await output.flush(1_000)).toEqual({ kind: 'incomplete', why: 'output is not spooled' });
});

test('a little output that is acked in time is never written to disk', async () => {
  const { output, directory } = spooled();
  await fill(output, 100, 100);
  output.free(output.end);
  expect(files(directory)).toEqual([]);
});

test('stored, spooled and lost bytes add up to all output', async () => {
  const { output } = spooled({ limitBytes: MIB });
  await fillDisk(output, 100);
  output.free(150_000);
  await fillDisk(output, 100);
  expect(output.droppedBytes).toBeGreaterThan(0);
  expect(150_000 + output.spooledBytes + output.droppedBytes).toBe(output.end);
  expect(missing(await readAll(output))).toBe(output.droppedBytes);
});

test('output that exceeds memory is read back from disk completely', async () => {
  const { output } = spooled();
  for (let each = 0; each < 20; each += 1) {
    await fill(output, 5);
    const held = output.end - 100_000;
    await waitFor('the disk to keep up', () => held <= 0 || output.read(held, 1)?.kind === 'later');
  }
  expect(output.droppedBytes).toBe(0);
  expect(gaps(await readAll(output))).toEqual([]);
  expect(output.read(10, 100)).toEqual({ kind: 'later' });
  // And not only from the beginning.
  expect(gaps(await readAll(output, 1_500_001))).toEqual([]);
  expect(gaps(await readAll(output, 123_456, 777))).toEqual([]);
});

test('output that stays unacked for some seconds is written to disk, however little it is', async () => {
  const { output, directory } = spooled();
  output.append('stdout', patternBytes(0, 10));
  await waitFor('it to be on disk', () => sizeOf(directory) > 10);
  output.append('stdout', patternBytes(10, 10));
  await waitFor('the rest to be on disk', () => sizeOf(directory) > 20 + RECORD_HEADER_BYTES);
  expect(gaps(await readAll(output))).toEqual([]);
});

test('acks delete what is on disk', async () => {
  const { output, directory } = spooled({ limitBytes: 80_000 * 8 });
  await fillDisk(output, 20);
  const before = files(directory).length;
  output.free(200_000);
  await waitFor('files to be deleted', () => files(directory).length < before);
  expect(output.read(0, 100)).toEqual({ kind: 'gap', from: 0, to: 200_000 });
  expect(gaps(await readAll(output))).toEqual([]);
  output.free(output.end);
  await waitFor('all files to be deleted', () => files(directory).length === 0);
  await fillDisk(output, 20);
  expect(gaps(await readAll(output))).toEqual([]);
});

test('an ack up to one byte before the next file keeps that byte', async () => {
  const { output, directory } = spooled({ limitBytes: 640_000 });
  await fillDisk(output, 20);
  for (const name of files(directory).slice(1)) {
    const before = Number(name.split('-')[2]) - 1;
    output.free(before);
    expect(await output.flush(WAIT_LIMIT_MS)).toEqual({ kind: 'stored' });
    expect(gaps(await readAll(output, before))).toEqual([]);
  }
});

test('output that is acked while it is being written does not stay on disk', async () => {
  const { output, directory } = spooled();
  output.append('stdout', patternBytes(0, 10_000));
  const flushed = output.flush(WAIT_LIMIT_MS);
  output.free(output.end);
  expect(await flushed).toEqual({ kind: 'stored' });
  await waitFor('all files to be deleted', () => files(directory).length === 0);
});

test('a full spool keeps head and tail within its limit, and reports exactly what is missing', async () => {
  const limitBytes = 800_000;
  const { output, directory } = spooled({ limitBytes });
  for (let each = 0; each < 30; each += 1) {
    await fillDisk(output, 5);
    expect(sizeOf(directory)).toBeLessThanOrEqual(limitBytes);
  }
  const chunks = await readAll(output);
  expect(gaps(chunks)).toHaveLength(1);
  expect(missing(chunks)).toBe(output.droppedBytes);
  expect(chunks[0]).toMatchObject({ kind: 'bytes', start: 0 });
  const [gap] = gaps(chunks);
  expect(gap).toMatchObject({
    from: expect.toSatisfy((from: number) => from > limitBytes / 8 && from <= limitBytes / 4),
  });
  expect(output.end - missing(chunks)).toBeGreaterThan(limitBytes * 0.7);
});

test('a flush leaves everything to the next process', async () => {
  const { output, directory } = spooled();
  await fill(output, 30);
  const before = await readAll(output);
  expect(await output.flush(WAIT_LIMIT_MS)).toEqual({ kind: 'stored' });
  output.close();
  const onDisk = await SpooledOutput.open(directory, output.end);
  expect(onDisk).toMatchObject({ start: 0, end: output.end });
  expect(missing(await readAll(onDisk))).toBe(missing(before));
  onDisk.free(onDisk.end);
  await waitFor('all files to be deleted', () => files(directory).length === 0);
  await onDisk.close();
});

test('a flush writes everything before it syncs', async () => {
  const { output, directory } = spooled({ limitBytes: 800_000 });
  const file = await fs.promises.open(directory);
  const writtenBefore: number[] = [];
  const sync = vi.spyOn(Object.getPrototypeOf(file), 'sync').mockImplementation(async () => {
    writtenBefore.push(sizeOf(directory));
  });
  onTestFinished(() => sync.mockRestore());
  await file.close();
  // More than two blocks.
  output.append('stdout', patternBytes(0, 230_000));
  expect(await output.flush(WAIT_LIMIT_MS)).toEqual({ kind: 'stored' });
  expect(writtenBefore[0]).toBeGreaterThan(230_000);
});

test('a failing disk is reported once, and memory keeps what it can', async () => {
  const { output, directory, troubles } = spooled();
  fs.rmSync(directory, { recursive: true });
  await fill(output, 100);
  await waitFor('the failure to be reported', () => troubles.length > 0);
  expect(troubles[0]).toContain('ENOENT');
  const flushed = await output.flush(WAIT_LIMIT_MS);
  expect(flushed).toMatchObject({ kind: 'incomplete', why: expect.stringContaining('ENOENT') });
  const chunks = await readAll(output);
  expect(missing(chunks)).toBe(output.droppedBytes);
  expect(output.end - missing(chunks)).toBeGreaterThan(100_000);
  expect(troubles).toHaveLength(1);
});

test('when the disk works again, waiting output is written', async () => {
  const { output, directory, troubles } = spooled();
  fs.renameSync(directory, `${directory}.away`);
  await fill(output, 3);
  await waitFor('the failure to be reported', () => troubles.length > 0);
  fs.renameSync(`${directory}.away`, directory);
  await waitFor('another attempt to succeed', () => sizeOf(directory) > 0);
  expect(await output.flush(WAIT_LIMIT_MS)).toEqual({ kind: 'stored' });
  expect(gaps(await readAll(output))).toEqual([]);
});

test('missing and damaged files are gaps, and no wrong byte is read', async () => {
  const { output, directory } = spooled({ limitBytes: 800_000 });
  await fillDisk(output, 30);
  output.close();
  const names = files(directory);
  expect(names.length).toBeGreaterThan(4);
  const [, deleted = '', truncated = '', zeroed = ''] = names;
  fs.rmSync(path.join(directory, deleted));
  fs.truncateSync(path.join(directory, truncated), 30_000);
  fs.writeFileSync(path.join(directory, zeroed), Buffer.alloc(50_000));
  const onDisk = await SpooledOutput.open(directory, null);
  expect(onDisk.end).toBe(output.end);
  const chunks = await readAll(onDisk);
  expect(missing(chunks)).toBeGreaterThan(0);
  expect(missing(chunks)).toBeLessThan(output.end / 2);
  await onDisk.close();
});

test("other files are left alone, and one with a segment's name is not output", async () => {
  const { output, directory } = spooled({ limitBytes: 800_000 });
  await fillDisk(output, 20);
  output.close();
  fs.writeFileSync(path.join(directory, 'README'), 'hello');
  fs.writeFileSync(path.join(directory, 'out-1-2'), 'hello');
  fs.writeFileSync(path.join(directory, 'out-00000099-000000000000777'), 'garbage that says it starts at 777');
  fs.writeFileSync(path.join(directory, 'out-99999999-999999999999999'), Buffer.alloc(100, 'garbage'));
  fs.mkdirSync(path.join(directory, 'out-00000098-000000000000000'));
  fs.symlinkSync('/dev/zero', path.join(directory, 'out-00000097-000000000000500'));
  const onDisk = await SpooledOutput.open(directory, null);
  expect(onDisk).toMatchObject({ start: 0, end: output.end });
  expect(gaps(await readAll(onDisk))).toEqual([]);
  await onDisk.close();
});

test('output does not exceed the known end', async () => {
  const { output, directory } = spooled();
  await fillDisk(output, 5);
  output.close();
  const onDisk = await SpooledOutput.open(directory, 70_001);
  const chunks = await readAll(onDisk);
  expect(chunks.reduce((sum, each) => sum + (each.kind === 'bytes' ? each.bytes.length : 0), 0)).toBe(70_001);
  await onDisk.close();
});

test('a run without output, and one of which only the end is known', async () => {
  const directory = temporaryDirectory();
  expect(await SpooledOutput.open(directory, null)).toMatchObject({ start: 0, end: 0 });
  // A directory that can't be read is not reported as missing output, which would be final.
  await expect(SpooledOutput.open(path.join(directory, 'missing'), 500)).rejects.toThrow('ENOENT');
  const known = await SpooledOutput.open(directory, 500);
  expect(await readAll(known, 100)).toEqual([{ kind: 'gap', from: 100, to: 500 }]);
});

test("other runs' disk usage counts before more than a little is written", async () => {
  const directory = temporaryDirectory();
  const output = new UnackedOutput(256 * 1024, () => {});
  onTestFinished(() => output.close());
  output.useSpool(directory, { bytes: 64 * MIB, recompute: async () => 2 * MIB });
  await fillDisk(output, 250);
  const bytes = fs.readdirSync(directory).map((name) => fs.statSync(path.join(directory, name)).size);
  expect(bytes.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(2 * MIB);
});

test('output is written even if computing the quota never finishes', async () => {
  const directory = temporaryDirectory();
  const output = new UnackedOutput(256 * 1024, () => {});
  onTestFinished(() => output.close());
  output.useSpool(directory, { bytes: 64 * MIB, recompute: () => new Promise(() => {}) });
  await fillDisk(output, 200);
  expect(gaps(await readAll(output))).toEqual([]);
});

test.each([3, 8, 20])(
  'where it is not known how much was sent before, appended output comes after %i bytes of it',
  (sent) => {
    const output = new UnackedOutput(256 * 1024, () => {}, { start: 0, memory: 0, isCertain: false });
    output.append('stdout', Buffer.from('eight by'));
    output.free(sent);
    expect(output).toMatchObject({ start: sent, end: sent + 8, droppedBytes: 0 });
    output.append('stdout', Buffer.from('tes'));
    output.free(sent + 4);
    const chunk = output.read(sent + 4, 100);
    expect(chunk?.kind === 'bytes' && Buffer.from(chunk.bytes).toString()).toBe('t bytes');
  },
);

test('output that waits for its time to be sent is in the journal, and goes to disk when the connection is lost', async () => {
  const { output, directory } = spooled();
  output.useJournal(new OutputJournal(temporaryDirectory(), 0));
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    output.paced(10_000);
    output.append('stdout', patternBytes(0, 100));
    vi.advanceTimersByTime(11_999);
    expect(output.heldFrom).toBe(0);
    output.free(100);
    output.append('stdout', patternBytes(100, 100));
    vi.advanceTimersByTime(5_000);
    output.paced(null);
    vi.advanceTimersByTime(2_000);
  } finally {
    vi.useRealTimers();
  }
  await waitFor('it to be on disk', () => output.heldFrom === 200 && fs.readdirSync(directory).length > 0);
});

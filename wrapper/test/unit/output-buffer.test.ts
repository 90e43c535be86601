import { expect, test } from 'vitest';
import type { StreamName } from '#protocol/output-frame';
import { IS_PROOF, SEED } from '#testing/seed';
import { OutputBuffer, type OutputPart } from '../../src/buffer/output-buffer.ts';

function readAll(log: OutputBuffer, from: number, maxBytes = 1_000): OutputPart[] {
  const chunks: OutputPart[] = [];
  for (let at = from; at < log.end; ) {
    const chunk = log.read(at, maxBytes);
    if (chunk === null) throw new Error(`nothing to read at ${at}`);
    chunks.push(chunk);
    at = chunk.kind === 'gap' ? chunk.to : chunk.start + chunk.bytes.length;
  }
  return chunks;
}

test('appended output can be read from any offset', () => {
  const log = new OutputBuffer(1_000_000);
  log.append('stdout', Buffer.from('hello '));
  log.append('stdout', Buffer.from('world'));
  log.append('stderr', Buffer.from('oh'));
  expect(log.read(0, 100)).toEqual({ kind: 'bytes', stream: 'stdout', start: 0, bytes: bytesOf('hello world') });
  expect(log.read(3, 4)).toEqual({ kind: 'bytes', stream: 'stdout', start: 3, bytes: bytesOf('lo w') });
  expect(log.read(11, 100)).toEqual({ kind: 'bytes', stream: 'stderr', start: 11, bytes: bytesOf('oh') });
  expect(log.read(13, 100)).toBeNull();
});

test('large neighbouring chunks of one stream are read as one', () => {
  const log = new OutputBuffer(1_000_000);
  for (let each = 0; each < 4; each += 1) log.append('stdout', Buffer.alloc(30_000, each));
  expect(log.read(10, 100_000)).toMatchObject({ kind: 'bytes', start: 10 });
  expect(readAll(log, 10, 100_000).map(lengthOf)).toEqual([100_000, 19_990]);
});

test('the appended bytes may be changed afterwards', () => {
  const log = new OutputBuffer(1_000_000);
  const reused = Buffer.alloc(70_000);
  for (let each = 0; each < 4; each += 1) {
    log.append('stdout', reused.fill(each));
  }
  const all = readAll(log, 0, 1_000_000).map((chunk) => (chunk.kind === 'bytes' ? Buffer.from(chunk.bytes) : null));
  expect(all).toEqual([Buffer.concat([0, 1, 2, 3].map((each) => Buffer.alloc(70_000, each)))]);
});

test('the oldest output comes first, gaps included', () => {
  const log = new OutputBuffer(100_000);
  expect(log.oldest()).toBeNull();
  for (let each = 0; each < 100; each += 1) log.append('stderr', Buffer.alloc(20_000, each));
  log.free(7);
  expect(log.oldest()).toMatchObject({ kind: 'bytes', stream: 'stderr', start: 7 });
  for (let oldest = log.oldest(); oldest?.kind === 'bytes'; oldest = log.oldest()) {
    log.free(oldest.start + oldest.bytes.length);
  }
  expect(log.oldest()).toEqual({ kind: 'gap', from: log.start, to: log.start + log.droppedBytes });
});

test('freed output is a gap when it is read again', () => {
  const log = new OutputBuffer(1_000_000);
  log.append('stdout', Buffer.from('0123456789'));
  log.free(4);
  expect(log.start).toBe(4);
  expect(log.read(1, 100)).toEqual({ kind: 'gap', from: 1, to: 4 });
  expect(log.read(4, 100)).toMatchObject({ start: 4, bytes: bytesOf('456789') });
  log.free(100);
  expect(log.start).toBe(10);
  log.free(2);
  expect(log.start).toBe(10);
});

test('a full buffer keeps head and tail, and reports exactly what is missing', () => {
  const log = new OutputBuffer(100_000);
  for (let each = 0; each < 100; each += 1) log.append('stdout', Buffer.alloc(20_000, each));
  const chunks = readAll(log, 0, 20_000);
  const gaps = chunks.filter((each) => each.kind === 'gap');
  expect(gaps).toHaveLength(1);
  expect(chunks[0]).toMatchObject({ kind: 'bytes', start: 0 });
  expect(chunks.at(-1)).toMatchObject({ kind: 'bytes' });
  const held = chunks.reduce((sum, each) => sum + lengthOf(each), 0);
  expect(held).toBeGreaterThan(60_000);
  expect(held).toBeLessThanOrEqual(100_000);
  expect(log.droppedBytes).toBe(2_000_000 - held);
});

test("single bytes can't exceed the limit", () => {
  const log = new OutputBuffer(100_000);
  // Alternating streams can't be gathered: each byte is a chunk of its own.
  for (let each = 0; each < 10_000; each += 1) log.append(each % 2 === 0 ? 'stdout' : 'stderr', Buffer.from('x'));
  expect(log.end - log.droppedBytes).toBeLessThan(500);
});

test('whatever is appended, freed and dropped, a read returns what was written, or a gap', () => {
  let seed = SEED;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed % below;
  };
  for (let round = 0; round < (IS_PROOF ? 300 : 10); round += 1) {
    const log = new OutputBuffer(50_000 + random(200_000));
    const original: Buffer[] = [];
    for (let step = 0; step < 300; step += 1) {
      const stream: StreamName = random(3) === 0 ? 'stderr' : 'stdout';
      const bytes = Buffer.alloc(1 + random(random(10) === 0 ? 40_000 : 300), step);
      original.push(bytes);
      log.append(stream, Buffer.from(bytes));
      if (random(20) === 0) log.free(log.start + random(log.end - log.start + 1));
      if (step % 50 === 49) check(log, Buffer.concat(original));
    }
  }
});

/** Reads all that is held, and compares. */
function check(log: OutputBuffer, original: Buffer): void {
  let at = log.start;
  for (const chunk of readAll(log, log.start, 5_000)) {
    if (chunk.kind === 'gap') {
      expect(chunk.from).toBe(at);
      at = chunk.to;
    } else {
      expect(chunk.start).toBe(at);
      expect(original.subarray(at, at + chunk.bytes.length).equals(chunk.bytes)).toBe(true);
      at += chunk.bytes.length;
    }
  }
  expect(at).toBe(original.length);
}

function lengthOf(chunk: OutputPart): number {
  return chunk.kind === 'gap' ? 0 : chunk.bytes.length;
}

/** Equal to any array of these bytes, whatever its class. */
function bytesOf(text: string) {
  return expect.toSatisfy((bytes: Uint8Array) => Buffer.from(bytes).toString() === text);
}

test('chunks of several sizes leave one gap, not many', () => {
  const log = new OutputBuffer(400_000);
  for (let each = 0; each < 300; each += 1) log.append('stdout', Buffer.alloc(each % 2 === 0 ? 60_000 : 17_000, each));
  expect(readAll(log, 0, 1_000_000).filter((each) => each.kind === 'gap')).toHaveLength(1);
});

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Writer, Written } from '../../src/output/descriptor.ts';
import { Sink } from '../../src/output/sink.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A reader that takes something only when it is told to. */
function reader({ writeNow = null, isTerminal = false }: Partial<Writer> = {}) {
  const taken: Buffer[] = [];
  let pending: { bytes: Uint8Array; done: (result: Written) => void } | null = null;
  let asked = 0;
  const writer: Writer = {
    writeNow,
    write: (bytes, done) => {
      if (pending !== null) throw new Error('two writes at once');
      asked += 1;
      pending = { bytes, done };
    },
    isTerminal,
  };
  const answer = (result: Written) => {
    const now = pending;
    pending = null;
    now?.done(result);
  };
  return {
    writer,
    taken: () => Buffer.concat(taken),
    asked: () => asked,
    waiting: () => pending !== null,
    take: (most = Number.POSITIVE_INFINITY) => {
      if (pending === null) return;
      const bytes = Buffer.from(pending.bytes.subarray(0, most));
      taken.push(bytes);
      answer({ kind: 'written', bytes: bytes.length });
    },
    answer,
  };
}

function listening(sink: Sink) {
  const events: string[] = [];
  sink.listen({
    drained: () => events.push('drained'),
    broken: () => events.push('broken'),
  });
  return events;
}

test('bytes are written in order, one write at a time, whatever a write takes', () => {
  const { writer, take, taken, waiting } = reader();
  const sink = new Sink(writer);
  for (const text of ['one ', 'two ', 'three']) sink.write(Buffer.from(text));
  while (waiting()) take(2);
  expect(taken().toString()).toBe('one two three');
});

test('a full pipe is tried again', () => {
  const { writer, answer, asked, take, taken } = reader();
  const sink = new Sink(writer);
  sink.write(Buffer.from('x'));
  answer({ kind: 'full' });
  expect(asked()).toBe(1);
  vi.advanceTimersByTime(100);
  expect(asked()).toBe(2);
  take();
  expect(taken().toString()).toBe('x');
});

test('a reader who is behind is waited for, until it has caught up', () => {
  const { writer, take } = reader();
  const sink = new Sink(writer);
  const events = listening(sink);
  for (let each = 0; each < 20; each += 1) sink.write(Buffer.alloc(64 * 1024));
  expect(sink.isBackedUp).toBe(true);
  for (let each = 0; each < 10; each += 1) take();
  expect(sink.isBackedUp).toBe(false);
  expect(events).toEqual(['drained']);
});

test('a reader who has stopped reading is waited for, and gets every byte when it continues', () => {
  const { writer, take, taken, waiting } = reader();
  const sink = new Sink(writer);
  for (let each = 0; each < 20; each += 1) sink.write(Buffer.alloc(64 * 1024));
  vi.advanceTimersByTime(3_600_000);
  expect(sink.isBackedUp).toBe(true);
  while (waiting()) take();
  expect(taken().length).toBe(20 * 64 * 1024);
});

test('a reader who has gone costs nothing', async () => {
  const { writer, answer, asked } = reader();
  const sink = new Sink(writer);
  const events = listening(sink);
  sink.write(Buffer.from('x'));
  answer({ kind: 'broken', readerGone: true, why: 'EPIPE' });
  sink.write(Buffer.from('y'));
  await sink.drained();
  expect(asked()).toBe(1);
  expect(events).toEqual(['broken', 'drained']);
});

test('drained means written', async () => {
  const { writer, take } = reader();
  const sink = new Sink(writer);
  sink.write(Buffer.from('x'));
  let drained = false;
  const waiting = sink.drained().then(() => {
    drained = true;
  });
  await Promise.resolve();
  expect(drained).toBe(false);
  take();
  await waiting;
});

test('what can be written at once is, and only the rest waits', () => {
  const room = [3, 0];
  const direct: string[] = [];
  const { writer, asked, take, taken } = reader({
    writeNow: (bytes) => {
      const some = Buffer.from(bytes.subarray(0, room.shift()));
      direct.push(some.toString());
      return some.length === 0 ? { kind: 'full' } : { kind: 'written', bytes: some.length };
    },
  });
  const sink = new Sink(writer);
  sink.write(Buffer.from('one'));
  expect({ asked: asked(), queued: sink.queued }).toEqual({ asked: 0, queued: 0 });
  sink.write(Buffer.from('two'));
  sink.write(Buffer.from('three'));
  while (sink.queued > 0) take(2);
  expect(direct.join('') + taken().toString()).toBe('onetwothree');
  expect(room).toEqual([]);
});

test('bytes may be changed after they were handed over', () => {
  const { writer, take, taken, waiting } = reader();
  const sink = new Sink(writer);
  const buffer = Buffer.alloc(100_000);
  const expected: Buffer[] = [];
  for (let each = 0; each < 9; each += 1) {
    buffer.fill(each + 1);
    sink.write(buffer);
    expected.push(Buffer.from(buffer));
    if (each % 3 === 2) take(70_000);
  }
  while (waiting()) take();
  expect(taken().equals(Buffer.concat(expected))).toBe(true);
});

test('a terminal that is not read does not hold the command up, and says later what is missing', async () => {
  const { writer, take, taken, waiting } = reader({ isTerminal: true });
  const sink = new Sink(writer);
  const events = listening(sink);
  sink.write(Buffer.alloc(1024 * 1024, 'a'));
  expect(sink.isBackedUp).toBe(true);
  vi.advanceTimersByTime(2_000);
  expect({ isBackedUp: sink.isBackedUp, events }).toEqual({ isBackedUp: false, events: ['drained'] });
  sink.write(Buffer.from('lost'));
  // It reads a little, but is not yet told: what comes now is after the gap.
  take();
  sink.write(Buffer.from('lost too'));
  expect(sink.omitted).toBe(12);
  await sink.drained();
  while (waiting()) take();
  sink.write(Buffer.from('shown'));
  while (waiting()) take();
  expect(
    taken()
      .subarray(1024 * 1024)
      .toString(),
  ).toBe('\nleash: 12 bytes of output were not shown: the terminal was not being read\nshown');
  expect(sink.omitted).toBe(0);
});

test('a terminal that is slow, but reads, is waited for', () => {
  const { writer, take, taken, waiting } = reader({ isTerminal: true });
  const sink = new Sink(writer);
  for (let each = 0; each < 40; each += 1) sink.write(Buffer.alloc(64 * 1024));
  for (let each = 0; each < 10; each += 1) {
    take(1000);
    vi.advanceTimersByTime(1_500);
    expect(sink.isBackedUp).toBe(true);
  }
  while (waiting()) take();
  expect(taken().length).toBe(40 * 64 * 1024);
});

test('what was written aside last is not owed to the reader, what stands behind it is', async () => {
  const { writer, take } = reader();
  const sink = new Sink(writer);
  const over: string[] = [];
  sink.write(Buffer.from('output '));
  sink.writeAside(Buffer.from('aside '));
  sink.write(Buffer.from('output '));
  sink.writeAside(Buffer.from('aside'));
  void sink.forwarded().then(() => over.push('passed on'));
  void sink.drained().then(() => over.push('drained'));
  take(7);
  await vi.advanceTimersByTimeAsync(0);
  expect(over).toEqual([]);
  take(13);
  await vi.advanceTimersByTimeAsync(0);
  expect(over).toEqual(['passed on']);
  take();
  await vi.advanceTimersByTimeAsync(0);
  expect(over).toEqual(['passed on', 'drained']);
});

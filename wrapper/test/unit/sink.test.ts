import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Writer, Written } from '../../src/output/descriptor.ts';
import { Sink } from '../../src/output/sink.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A reader that takes something only when it is told to. */
function reader() {
  const taken: Buffer[] = [];
  let pending: { bytes: Uint8Array; done: (result: Written) => void } | null = null;
  let asked = 0;
  const write: Writer = (bytes, done) => {
    if (pending !== null) throw new Error('two writes at once');
    asked += 1;
    pending = { bytes, done };
  };
  const answer = (result: Written) => {
    const now = pending;
    pending = null;
    now?.done(result);
  };
  return {
    write,
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
    relieved: () => events.push('relieved'),
    broken: () => events.push('broken'),
  });
  return events;
}

test('bytes are written in order, one write at a time, whatever a write takes', () => {
  const { write, take, taken, waiting } = reader();
  const sink = new Sink(write);
  for (const text of ['one ', 'two ', 'three']) sink.write(Buffer.from(text));
  while (waiting()) take(2);
  expect(taken().toString()).toBe('one two three');
});

test('a full pipe is tried again', () => {
  const { write, answer, asked, take, taken } = reader();
  const sink = new Sink(write);
  sink.write(Buffer.from('x'));
  answer({ kind: 'full' });
  expect(asked()).toBe(1);
  vi.advanceTimersByTime(100);
  expect(asked()).toBe(2);
  take();
  expect(taken().toString()).toBe('x');
});

test('a reader who is behind is waited for, until it has caught up', () => {
  const { write, take } = reader();
  const sink = new Sink(write);
  const events = listening(sink);
  for (let each = 0; each < 20; each += 1) sink.write(Buffer.alloc(64 * 1024));
  expect(sink.congested).toBe(true);
  for (let each = 0; each < 10; each += 1) take();
  expect(sink.congested).toBe(false);
  expect(events).toEqual(['relieved']);
});

test('a reader who has stopped reading is waited for, and gets every byte when it goes on', () => {
  const { write, take, taken, waiting } = reader();
  const sink = new Sink(write);
  for (let each = 0; each < 20; each += 1) sink.write(Buffer.alloc(64 * 1024));
  vi.advanceTimersByTime(3_600_000);
  expect(sink.congested).toBe(true);
  while (waiting()) take();
  expect(taken().length).toBe(20 * 64 * 1024);
});

test('a reader who has gone costs nothing', async () => {
  const { write, answer, asked } = reader();
  const sink = new Sink(write);
  const events = listening(sink);
  sink.write(Buffer.from('x'));
  answer({ kind: 'broken', readerGone: true, why: 'EPIPE' });
  sink.write(Buffer.from('y'));
  await sink.drained();
  expect(asked()).toBe(1);
  expect(events).toEqual(['broken', 'relieved']);
});

test('drained means written', async () => {
  const { write, take } = reader();
  const sink = new Sink(write);
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

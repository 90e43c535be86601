import { describe, expect, test } from 'vitest';
import { KIB, MIB } from '#protocol/limits';
import type { ViewerMessage } from '#protocol/watch-link';
import { isComplete, OutputFollower } from '../../../src/operator/logs/output-follower.ts';
import { aRun } from '../../support/api-resources.ts';

const RUN = '01KB7Q0000AAAAAAAAAAAAAAAA';

class Reader {
  isUp = true;
  readonly sent: ViewerMessage[] = [];
  printed = '';
  readonly follower: OutputFollower;

  constructor(offset = 0) {
    this.follower = new OutputFollower(RUN, offset, {
      send: (message) => {
        if (this.isUp) this.sent.push(message);
        return this.isUp;
      },
      output: ({ bytes }) => {
        this.printed += Buffer.from(bytes).toString();
      },
      gap: (from, to) => {
        this.printed += `[${from}-${to}]`;
      },
    });
  }

  opened(): void {
    this.follower.opened();
    this.confirm();
  }

  confirm(): void {
    this.follower.message({ type: 'subscribed', run: RUN, offset: this.follower.next });
  }

  frame(start: number, text: string | Uint8Array): void {
    this.follower.frame({ stream: 'stdout', start, bytes: typeof text === 'string' ? Buffer.from(text) : text });
  }
}

test('output is taken once, whatever of it comes again after a new link', () => {
  const reader = new Reader();
  reader.opened();
  reader.frame(0, 'abc');
  reader.opened();
  reader.frame(0, 'abcde');
  reader.frame(2, 'cd');
  expect(reader.printed).toBe('abcde');
  expect(reader.sent).toEqual([
    { type: 'subscribe', run: RUN, offset: 0 },
    { type: 'subscribe', run: RUN, offset: 3 },
  ]);
});

test('what belongs to an earlier subscription is ignored', () => {
  const reader = new Reader();
  reader.opened();
  reader.follower.opened();
  reader.frame(0, 'old');
  reader.confirm();
  reader.frame(0, 'new');
  expect(reader.printed).toBe('new');
});

test('bytes that are missing are requested again, and are a gap when they are still missing', () => {
  const reader = new Reader();
  reader.opened();
  reader.frame(0, 'a');
  reader.frame(5, 'f');
  expect(reader.sent.at(-1)).toEqual({ type: 'subscribe', run: RUN, offset: 1 });
  reader.confirm();
  reader.frame(5, 'f');
  expect(reader.printed).toBe('a[1-5]f');
});

test('a gap that the control plane knows is passed on, without what was taken already', () => {
  const reader = new Reader(3);
  reader.opened();
  reader.follower.message({ type: 'gap', run: RUN, from: 3, to: 7, begin: 1 });
  reader.follower.message({ type: 'gap', run: 'another', from: 7, to: 9 });
  reader.frame(7, 'x');
  expect(reader.printed).toBe('[3-7]x');
});

describe('a flood', () => {
  const chunk = new Uint8Array(100 * KIB);

  test('is acked now and then', () => {
    const reader = new Reader();
    reader.opened();
    for (let start = 0; start < MIB; start += chunk.length) reader.frame(start, chunk);
    const acks = reader.sent.filter(({ type }) => type === 'ack');
    expect(acks.length).toBeGreaterThan(2);
    expect(acks.length).toBeLessThan(10);
  });

  test('that was stopped by the control plane continues where the reader is', () => {
    const reader = new Reader();
    reader.opened();
    reader.frame(0, chunk);
    reader.follower.message({ type: 'behind', run: RUN, offset: chunk.length });
    expect(reader.sent.at(-1)).toEqual({ type: 'subscribe', run: RUN, offset: chunk.length });
  });

  test('waits for a reader that is slow', () => {
    const reader = new Reader();
    reader.opened();
    reader.follower.pause();
    reader.frame(0, chunk);
    reader.frame(chunk.length, chunk);
    reader.follower.message({ type: 'behind', run: RUN, offset: 2 * chunk.length });
    expect(reader.sent).toHaveLength(1);
    reader.follower.resume();
    expect(reader.sent.at(-1)).toEqual({ type: 'subscribe', run: RUN, offset: 2 * chunk.length });
  });
});

test('a run is complete when its end is final and all its output has been read', () => {
  const ended = { state: 'succeeded', final: true, output_bytes: 5 } as const;
  expect(isComplete(aRun({ output_bytes: 5 }), 5)).toBe(false);
  expect(isComplete(aRun({ ...ended, output_total_bytes: 9 }), 5)).toBe(false);
  expect(isComplete(aRun({ ...ended, output_total_bytes: 9 }), 9)).toBe(true);
  expect(isComplete(aRun(ended), 5)).toBe(true);
  expect(isComplete(aRun({ state: 'lost', output_bytes: 5 }), 5)).toBe(false);
});

import { describe, expect, test } from 'vitest';
import { KIB, MIB } from '#protocol/limits';
import type { ViewerMessage } from '#protocol/watch-link';
import { EARLIER_BYTES, OutputFeed, TAIL_BYTES } from '../src/output/output-feed.ts';
import { RUN_ID } from './make.ts';

function linesOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index % 100 === 99 ? 0x0a : 0x78));
}

function feedOf(total: number, later = total) {
  const sent: ViewerMessage[] = [];
  const tasks: (() => void)[] = [];
  const feed = new OutputFeed(RUN_ID, total, {
    send: (message) => {
      sent.push(message);
      return true;
    },
    fetchTotal: async () => later,
    changed: () => undefined,
    later: (task) => tasks.push(task),
  });
  const frame = (start: number, length: number) => feed.frame({ stream: 'stdout', start, bytes: linesOf(length) });
  const open = () => {
    feed.opened();
    feed.subscribed();
  };
  const runTasks = () => {
    for (const task of tasks.splice(0)) task();
  };
  return { feed, sent, frame, open, runTasks };
}

const subscribe = (offset: number) => ({ type: 'subscribe', run: RUN_ID, offset });
const ack = (offset: number) => ({ type: 'ack', run: RUN_ID, offset });

describe('what is asked for', () => {
  test('all of a short log, the tail of a long one', () => {
    const short = feedOf(1000);
    short.open();
    const long = feedOf(17 * MIB);
    long.open();
    expect(short.sent).toEqual([subscribe(0)]);
    expect(long.sent).toEqual([subscribe(17 * MIB - TAIL_BYTES)]);
  });

  test('after a lost link, what has not come yet', () => {
    const { sent, frame, open } = feedOf(0);
    open();
    frame(0, 100);
    open();
    expect(sent.at(-1)).toEqual(subscribe(100));
  });

  test('a hole is asked for once, and then shown as missing', () => {
    const { feed, sent, frame, open } = feedOf(0);
    open();
    frame(0, 10);
    frame(50, 10);
    expect(sent.at(-1)).toEqual(subscribe(10));
    feed.subscribed();
    frame(50, 10);
    expect(feed.log.lines.find((line) => line.kind === 'gap')).toMatchObject({ offset: 10, missing: 40 });
    expect(feed.log.next).toBe(60);
  });
});

describe('acks', () => {
  test('are gathered', () => {
    const { sent, frame, open, runTasks } = feedOf(0);
    open();
    frame(0, 10);
    frame(10, 10);
    expect(sent).toEqual([subscribe(0)]);
    runTasks();
    expect(sent.slice(1)).toEqual([ack(20)]);
  });

  test('come at once when much has been taken', () => {
    const { sent, frame, open } = feedOf(0);
    open();
    frame(0, 200 * KIB);
    expect(sent.slice(1)).toEqual([ack(200 * KIB)]);
  });
});

describe('falling behind', () => {
  test('by a little goes on from there', async () => {
    const { feed, sent, frame, open } = feedOf(0, 100 * KIB);
    open();
    frame(0, 50 * KIB);
    await feed.behind();
    expect(sent.at(-1)).toEqual(subscribe(50 * KIB));
    expect(feed.log.shownFrom).toBe(0);
  });

  test('by a lot goes to the end, and says what it left out', async () => {
    const { feed, sent, frame, open } = feedOf(0, 100 * MIB);
    open();
    frame(0, 1000);
    await feed.behind();
    expect(sent.at(-1)).toEqual(subscribe(100 * MIB - TAIL_BYTES));
    expect(feed.log.shownFrom).toBe(100 * MIB - TAIL_BYTES);
    expect(feed.canLoadEarlier).toBe(true);
  });

  test('never takes the lines from someone who reads further up', async () => {
    const { feed, sent, frame, open } = feedOf(0, 100 * MIB);
    open();
    frame(0, 1000);
    feed.hold(true);
    await feed.behind();
    expect(sent.at(-1)).toEqual(subscribe(1000));
    expect(feed.log.shownFrom).toBe(0);
  });
});

test('earlier output takes over when it has reached what is shown, and frames of the old window do not disturb it', () => {
  const total = MIB;
  const { feed, sent, frame, open } = feedOf(total);
  open();
  const tail = total - TAIL_BYTES;
  frame(tail, 1000);
  const shownFrom = feed.log.shownFrom;
  feed.loadEarlier();
  const from = shownFrom - EARLIER_BYTES;
  expect(sent.at(-1)).toEqual(subscribe(from));
  frame(tail + 1000, 500);
  expect(sent.at(-1)).toEqual(subscribe(from));
  feed.subscribed();
  frame(from, 1000);
  expect(feed.log.shownFrom).toBe(shownFrom);
  expect(feed.loadingEarlier).toBe(true);
  frame(from + 1000, tail - from);
  expect(feed.loadingEarlier).toBe(false);
  expect(feed.log.next).toBe(tail + 1000);
  expect(feed.log.shownFrom).toBeLessThan(shownFrom);
});

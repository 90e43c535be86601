import { describe, expect, test } from 'vitest';
import { KIB, MIB } from '#protocol/limits';
import type { ViewerMessage } from '#protocol/watch-link';
import { OutputFeed, STEP_BYTES, TAIL_BYTES } from '../src/output/output-feed.ts';
import { OutputText } from '../src/output/output-text.ts';
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
  feed.fit(24_000, 100);
  const frame = (start: number, length: number) => feed.frame({ stream: 'stdout', start, bytes: linesOf(length) });
  /** The other end confirms the last subscription. */
  const confirm = (end = total) => {
    const last = sent.at(-1);
    if (last?.type === 'subscribe')
      feed.subscribed(last.tail === undefined ? Math.min(last.offset, end) : end - last.tail);
  };
  const open = () => {
    feed.opened();
    confirm();
  };
  /** The screen keeps up. */
  const draw = () => feed.drawn(feed.window.next);
  const runTasks = () => {
    for (const task of tasks.splice(0)) task();
  };
  /** Answers a subscription with all that was asked for. */
  const answer = (from: number, to: number) => {
    confirm();
    for (let at = from; at < to; at += 100_000) frame(at, Math.min(100_000, to - at));
  };
  return { feed, sent, frame, open, confirm, draw, runTasks, answer };
}

const subscribe = (offset: number) => ({ type: 'subscribe', run: RUN_ID, offset });
const part = (offset: number, bytes: number) => ({ ...subscribe(offset), bytes });
const TAIL = { ...subscribe(0), tail: TAIL_BYTES };
const ack = (offset: number) => ({ type: 'ack', run: RUN_ID, offset });
const THE_END = subscribe(Number.MAX_SAFE_INTEGER);

describe('what is asked for', () => {
  test('all of a short log, the tail of a long one', () => {
    const short = feedOf(1000);
    short.open();
    const long = feedOf(100 * MIB);
    long.open();
    expect(short.sent).toEqual([subscribe(0)]);
    expect(long.sent).toEqual([TAIL]);
  });

  test('of a tail with a gap as much as of any other, and the gap whole', () => {
    const total = 100 * MIB;
    const { feed, sent, frame } = feedOf(total);
    feed.opened();
    expect(sent).toEqual([TAIL]);
    const [gapStart, gapEnd] = [39 * MIB, total - 10 * KIB];
    const from = gapStart - (TAIL_BYTES - 10 * KIB);
    feed.subscribed(from);
    frame(from, gapStart - from);
    feed.gap(gapStart, gapEnd);
    frame(gapEnd, 10 * KIB);
    expect([feed.window.start, feed.window.next, feed.isLive]).toEqual([from, total, true]);
    expect(feed.window.read(gapStart)).toEqual({ kind: 'gap', start: gapStart, end: gapEnd, begin: gapStart });
  });

  test('after a lost link, what has not come yet', () => {
    const { sent, frame, open } = feedOf(0);
    open();
    frame(0, 100);
    open();
    expect(sent.at(-1)).toEqual(subscribe(100));
  });

  test('a gap is requested once, and then shown as missing', () => {
    const { feed, sent, frame, open, confirm } = feedOf(0);
    open();
    frame(0, 10);
    frame(50, 10);
    expect(sent.at(-1)).toEqual(subscribe(10));
    confirm();
    frame(50, 10);
    expect(feed.window.read(10)).toEqual({ kind: 'gap', start: 10, end: 50, begin: 10 });
    expect(feed.window.next).toBe(60);
  });
});

describe('acks', () => {
  test('are of what is on the screen, and gathered', () => {
    const { feed, sent, frame, open, runTasks } = feedOf(0);
    open();
    frame(0, 10);
    frame(10, 10);
    runTasks();
    expect(sent).toEqual([subscribe(0)]);
    feed.drawn(20);
    expect(sent).toEqual([subscribe(0)]);
    runTasks();
    expect(sent.slice(1)).toEqual([ack(20)]);
  });

  test('come at once when much has been drawn', () => {
    const { sent, frame, open, draw } = feedOf(0);
    open();
    frame(0, 200 * KIB);
    draw();
    expect(sent.slice(1)).toEqual([ack(200 * KIB)]);
  });
});

describe('falling behind', () => {
  test('waits until what came is on the screen: a flood is asked for no faster than it is drawn', async () => {
    const { feed, sent, frame, open, draw } = feedOf(0, 100 * MIB);
    open();
    frame(0, 50 * KIB);
    await feed.behind();
    expect(sent).toEqual([subscribe(0)]);
    draw();
    await Promise.resolve();
    await Promise.resolve();
    expect(sent.at(-1)).toEqual(TAIL);
  });

  test('by a little continues from there', async () => {
    const { feed, sent, frame, open, draw } = feedOf(0, 100 * KIB);
    open();
    frame(0, 50 * KIB);
    draw();
    await feed.behind();
    expect(sent.at(-1)).toEqual(subscribe(50 * KIB));
    expect(feed.window.start).toBe(0);
  });

  test('by a lot goes to the end, and says what it left out', async () => {
    const { feed, sent, frame, open, draw } = feedOf(0, 100 * MIB);
    open();
    frame(0, 1000);
    draw();
    await feed.behind();
    expect(sent.at(-1)).toEqual(TAIL);
    feed.subscribed(100 * MIB - TAIL_BYTES);
    expect(feed.window.start).toBe(100 * MIB - TAIL_BYTES);
  });

  test('never takes the lines from someone who reads further up', async () => {
    const { feed, sent, frame, open, draw } = feedOf(0, 100 * MIB);
    open();
    frame(0, 1000);
    draw();
    feed.hold(true);
    await feed.behind();
    expect(sent.at(-1)).toEqual(subscribe(1000));
    expect(feed.window.start).toBe(0);
  });

  test('leaves where the reader went meanwhile alone', async () => {
    const { feed, sent, frame, open, draw } = feedOf(50 * MIB, 100 * MIB);
    open();
    frame(50 * MIB - TAIL_BYTES, 1000);
    draw();
    const behind = feed.behind();
    feed.openAt(0);
    await behind;
    expect(sent.at(-1)).toEqual(part(0, TAIL_BYTES));
    expect(feed.opening).toBe(0);
  });
});

describe('earlier output', () => {
  test('joins the window when it has reached it, and frames of before do not disturb it', () => {
    const total = MIB;
    const { feed, sent, frame, open, answer } = feedOf(total);
    open();
    const tail = total - TAIL_BYTES;
    frame(tail, 1000);
    feed.loadEarlier();
    const from = tail - STEP_BYTES;
    expect(sent.at(-1)).toEqual(part(from, STEP_BYTES));
    frame(tail + 1000, 500);
    expect(feed.window.start).toBe(tail);
    answer(from, tail);
    expect(feed.loading).toBe(null);
    expect([feed.window.start, feed.window.next]).toEqual([from, tail + 1000]);
    // And goes on where it was.
    expect(feed.isLive).toBe(true);
    expect(sent.at(-1)).toEqual(subscribe(tail + 1000));
  });

  test('can be read up to the beginning of long output and back to its end, with a window that slides', () => {
    const total = 6 * MIB;
    const { feed, frame, open, confirm, answer } = feedOf(total);
    open();
    frame(total - TAIL_BYTES, TAIL_BYTES);
    feed.hold(true);
    let steps = 0;
    while (feed.window.start > 0 && steps < 100) {
      confirm();
      const before = feed.window.start;
      feed.loadEarlier();
      answer(Math.max(0, before - STEP_BYTES), before);
      expect(feed.window.start).toBeLessThan(before);
      expect(feed.window.isWithin({ weight: 2 * MIB, rows: 24_000, columns: 100 })).toBe(true);
      steps += 1;
    }
    expect(feed.window.start).toBe(0);
    expect(feed.isLive).toBe(false);
    for (steps = 0; !feed.isLive && steps < 200; steps += 1) {
      confirm();
      const { next } = feed.window;
      feed.loadLater();
      answer(next, Math.min(total, next + STEP_BYTES));
    }
    expect([feed.window.next, feed.isLive]).toEqual([total, true]);
  });

  test('is looked for beyond a gap, however long it is', () => {
    const total = 20 * MIB;
    const { feed, sent, open, confirm, frame, answer } = feedOf(total);
    open();
    frame(total - TAIL_BYTES, TAIL_BYTES);
    const tail = total - TAIL_BYTES;
    const gapStart = 10 * MIB;
    feed.loadEarlier();
    for (let steps = 0; feed.loading === 'earlier' && steps < 20; steps += 1) {
      const last = sent.at(-1);
      if (last?.type !== 'subscribe') throw new Error('nothing was asked for');
      while (sent.at(-1) === last) {
        confirm();
        if (last.offset >= gapStart) feed.gap(last.offset, tail, gapStart);
        else {
          answer(last.offset, gapStart);
          feed.gap(gapStart, tail);
        }
      }
    }
    confirm();
    expect(feed.window.start).toBeLessThan(gapStart);
    expect(feed.window.read(gapStart)).toEqual({ kind: 'gap', start: gapStart, end: tail, begin: gapStart });
  });

  test('is asked for from before a gap at once, where the window begins within one', () => {
    const total = 100 * MIB;
    const { feed, sent, open, confirm, frame } = feedOf(total);
    open();
    frame(total - TAIL_BYTES, TAIL_BYTES);
    feed.loadEarlier();
    confirm();
    feed.gap(total - TAIL_BYTES - STEP_BYTES, total - TAIL_BYTES, 10 * MIB);
    confirm();
    expect(sent.at(-1)).toMatchObject({ offset: 10 * MIB - STEP_BYTES });
  });

  test('takes no more than was asked for', () => {
    const { feed, open, answer } = feedOf(20 * MIB);
    open();
    feed.openAt(0);
    answer(0, 3 * STEP_BYTES);
    expect(feed.window.next).toBeLessThanOrEqual(TAIL_BYTES);
    expect(feed.isLive).toBe(false);
  });
});

describe('an offset in the middle', () => {
  const total = 100 * MIB;
  const offset = 34 * MIB;

  test('opens with as little as the end does; until that arrives, the old window stays and nothing else is requested', () => {
    const { feed, sent, frame, open, confirm, answer } = feedOf(total);
    open();
    frame(total - TAIL_BYTES, TAIL_BYTES);
    feed.openAt(offset);
    expect(sent.at(-1)).toEqual(part(offset, TAIL_BYTES));
    expect([feed.opening, feed.isLive, feed.window.start]).toEqual([offset, false, total - TAIL_BYTES]);
    feed.loadEarlier();
    expect(sent.at(-1)).toEqual(part(offset, TAIL_BYTES));
    answer(offset, offset + STEP_BYTES);
    expect([feed.opening, feed.window.start, feed.window.next]).toEqual([null, offset, offset + TAIL_BYTES]);
    expect(feed.window.isCut).toBe(true);
    // And goes on from there in both directions.
    confirm();
    feed.loadLater();
    answer(offset + TAIL_BYTES, offset + TAIL_BYTES + STEP_BYTES);
    confirm();
    feed.loadEarlier();
    answer(offset - STEP_BYTES, offset);
    expect(feed.window.start).toBe(offset - STEP_BYTES);
    expect(feed.window.next).toBeGreaterThan(offset + TAIL_BYTES);
  });

  test('can be left for another one before it has come, and survives a lost link', () => {
    const { feed, sent, frame, open, answer } = feedOf(total);
    open();
    feed.openAt(offset);
    frame(offset, 1000);
    feed.openAt(2 * offset);
    open();
    expect(sent.at(-1)).toEqual(part(2 * offset, TAIL_BYTES));
    answer(2 * offset, 2 * offset + TAIL_BYTES);
    expect(feed.window.start).toBe(2 * offset);
  });

  test('close to the end continues with it', () => {
    const { feed, open, answer } = feedOf(total);
    open();
    feed.openAt(total - 1000);
    answer(total - 1000, total);
    expect([feed.window.start, feed.isLive]).toEqual([total - 1000, true]);
  });

  test('in which bytes are missing shows what follows them', () => {
    const { feed, open, confirm, frame } = feedOf(total);
    open();
    feed.openAt(offset);
    confirm();
    const end = offset + 10 * MIB;
    feed.gap(offset, end);
    expect(feed.opening).toBe(offset);
    frame(end, TAIL_BYTES);
    expect(feed.window.read(offset)).toEqual({ kind: 'gap', start: offset, end, begin: offset });
    expect([feed.opening, feed.window.next]).toEqual([null, end + TAIL_BYTES]);
  });

  test('of which little comes before a gap shows as much after it as anywhere', () => {
    const { feed, open, confirm, frame } = feedOf(total);
    open();
    feed.openAt(offset);
    confirm();
    frame(offset, 1000);
    const end = offset + 10 * MIB;
    feed.gap(offset + 1000, end);
    frame(end, TAIL_BYTES);
    expect([feed.opening, feed.window.next]).toEqual([null, end + TAIL_BYTES - 1000]);
  });

  test('within a gap says how much is missing in all', () => {
    const { feed, open, confirm, frame } = feedOf(total);
    open();
    feed.openAt(offset);
    confirm();
    feed.gap(offset, offset + MIB, offset - 59 * MIB);
    frame(offset + MIB, TAIL_BYTES);
    const gap = feed.window.read(offset);
    expect(gap).toMatchObject({ kind: 'gap', begin: offset - 59 * MIB, end: offset + MIB });
    expect(gap === null ? null : new OutputText('both', true).read(gap)).toContain('… 60 MiB are missing here …');
  });

  test('of which only what is missing is left says so', () => {
    const { feed, open, confirm } = feedOf(total);
    open();
    feed.openAt(offset);
    confirm();
    feed.gap(offset, total);
    expect([feed.window.start, feed.window.next, feed.isLive]).toEqual([offset, total, true]);
  });
});

describe('a reader who is elsewhere', () => {
  test('is notified how much is new, without being sent it', () => {
    const total = 20 * MIB;
    const { feed, sent, frame, open, confirm, answer, runTasks } = feedOf(total);
    open();
    feed.openAt(0);
    answer(0, TAIL_BYTES);
    expect(sent.at(-1)).toEqual(THE_END);
    confirm();
    const { next } = feed.window;
    frame(total, 1000);
    expect(feed.total).toBe(total + 1000);
    expect(feed.window.next).toBe(next);
    void feed.behind();
    runTasks();
    expect(sent.at(-1)).toEqual(THE_END);
    feed.subscribed(30 * MIB);
    expect(feed.total).toBe(30 * MIB);
    feed.toEnd();
    expect(sent.at(-1)).toEqual(TAIL);
    expect(feed.isLive).toBe(true);
  });

  test('keeps their lines: when no more fits, what comes is counted only', () => {
    const { feed, sent, frame, open } = feedOf(0);
    open();
    feed.hold(true);
    for (let at = 0; at < 4 * MIB; at += 200 * KIB) frame(at, 200 * KIB);
    expect(feed.window.start).toBe(0);
    expect(feed.isLive).toBe(false);
    expect(sent.at(-1)).toEqual(THE_END);
  });
});

test('what has left the screen is released', () => {
  const { feed, frame, open } = feedOf(0);
  open();
  frame(0, 100 * KIB);
  feed.shownFrom(64 * KIB);
  expect(feed.window.start).toBe(64 * KIB);
});

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DrawQueue } from '../src/pages/timeline/draw-queue.ts';

let frames: (() => void)[] = [];
let nowMs = 0;
let drawn: string[] = [];

beforeEach(() => {
  frames = [];
  drawn = [];
  vi.stubGlobal('requestAnimationFrame', (frame: () => void) => frames.push(frame));
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

function passFrame(): void {
  for (const frame of frames.splice(0)) frame();
}

/** A lane of parts that take a while each. */
function lane(tookMs: number, parts = 1) {
  let left = parts;
  return {
    draw: (name: string, endMs: number) => {
      while (left > 0 && nowMs <= endMs) {
        nowMs += tookMs;
        drawn.push(name);
        left -= 1;
      }
      return left === 0;
    },
  };
}

test('what takes little time is drawn at once', () => {
  const queue = new DrawQueue<string>();
  for (const name of ['a', 'b', 'c']) queue.add(lane(1), name);
  queue.start();
  expect(drawn).toEqual(['a', 'b', 'c']);
  expect([queue.isIdle, frames.length]).toEqual([true, 0]);
});

test('what takes long is spread over frames, and each reports what it has drawn', () => {
  const queue = new DrawQueue<string>();
  const progress: string[] = [];
  queue.onDrawn = () => progress.push(drawn.join(''));
  queue.add(lane(50, 2), 'a');
  queue.add(lane(50), 'b');
  queue.start();
  // Not twice in a frame.
  queue.start();
  while (frames.length > 0) passFrame();
  expect(progress).toEqual(['a', 'aa', 'aab']);
});

test('of a lane that waits, only the latest state is drawn, and none once it is removed', () => {
  const queue = new DrawQueue<string>();
  const [stays, goes] = [lane(1), lane(1)];
  queue.add(lane(50, 2), 'first');
  queue.start();
  queue.add(stays, 'old');
  queue.add(stays, 'new');
  queue.add(goes, 'gone');
  queue.remove(goes);
  while (frames.length > 0) passFrame();
  expect(drawn).toEqual(['first', 'first', 'new']);
});

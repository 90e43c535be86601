import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WAIT } from '#testing/patience';
import { type Drawable, DrawQueue } from '../src/pages/timeline/draw-queue.ts';

let frames: (() => void)[] = [];

beforeEach(() => {
  frames = [];
  vi.stubGlobal('requestAnimationFrame', (frame: () => void) => frames.push(frame));
  vi.stubGlobal('cancelAnimationFrame', () => {
    frames = [];
  });
});
afterEach(() => vi.unstubAllGlobals());

function passFrame(): void {
  const due = frames;
  frames = [];
  for (const frame of due) frame();
}

class Lane implements Drawable {
  drawnSeen = 0;
  drawnNear = 0;
  readonly #seen: number;
  readonly #near: number;

  constructor(seen: number, near: number) {
    this.#seen = seen;
    this.#near = near;
  }

  get drawn(): number {
    return this.drawnSeen + this.drawnNear;
  }

  get isComplete(): boolean {
    return this.drawn === this.#seen + this.#near;
  }

  drawSome(most: number, which: 'seen' | 'all'): number {
    const seen = Math.min(most, this.#seen - this.drawnSeen);
    const near = which === 'seen' ? 0 : Math.min(most - seen, this.#near - this.drawnNear);
    this.drawnSeen += seen;
    this.drawnNear += near;
    return seen + near;
  }
}

function started(lanes: readonly Lane[]): DrawQueue {
  const queue = new DrawQueue();
  for (const lane of lanes) queue.add(lane);
  queue.start();
  return queue;
}

test('what is little is there at once', () => {
  const lanes = [new Lane(50, 20), new Lane(30, 0)];
  const queue = started(lanes);
  expect(lanes.map(({ isComplete }) => isComplete)).toEqual([true, true]);
  expect(frames).toEqual([]);
  queue.stop();
});

test('of what is much no frame draws all, and it goes on until nothing is missing', () => {
  const lanes = [new Lane(5_000, 0), new Lane(5_000, 0)];
  const queue = started(lanes);
  const drawn = () => lanes.reduce((sum, lane) => sum + lane.drawn, 0);
  let most = drawn();
  for (let before = drawn(); frames.length > 0; before = drawn()) {
    passFrame();
    most = Math.max(most, drawn() - before);
  }
  expect(drawn()).toBe(10_000);
  expect(most).toBeLessThanOrEqual(1_000);
  queue.stop();
});

test('what is seen of all lanes comes before what is only near', () => {
  const [first, second] = [new Lane(150, 400), new Lane(150, 400)];
  const queue = started([first, second]);
  while (frames.length > 0 && first.drawnNear + second.drawnNear === 0) passFrame();
  expect([first.drawnSeen, second.drawnSeen]).toEqual([150, 150]);
  queue.stop();
});

test('it is told after each frame that drew more, and what is taken away is not drawn', () => {
  const [stays, goes] = [new Lane(600, 0), new Lane(600, 0)];
  const queue = new DrawQueue();
  queue.onDrawn = vi.fn();
  for (const lane of [stays, goes]) queue.add(lane);
  queue.start();
  queue.remove(goes);
  while (frames.length > 0) passFrame();
  expect(queue.onDrawn).toHaveBeenCalled();
  expect([stays.isComplete, goes.drawn]).toEqual([true, 0]);
  queue.stop();
});

test('frames that take long get less to draw', async () => {
  const lane = new Lane(100_000, 0);
  const queue = started([lane]);
  const perFrame = () => {
    const before = lane.drawn;
    passFrame();
    return lane.drawn - before;
  };
  passFrame();
  const first = perFrame();
  let nowMs = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => (nowMs += 1_000));
  await vi.waitFor(() => expect(perFrame()).toBeLessThan(first), WAIT);
  vi.restoreAllMocks();
  queue.stop();
});

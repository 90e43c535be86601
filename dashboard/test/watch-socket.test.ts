import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openWatch, type WatchHandlers } from '../src/api/watch-socket.ts';

/** The sockets that were dialled, newest last. */
let dialled: FakeSocket[] = [];

class FakeSocket {
  static readonly OPEN = 1;
  readyState = 1;
  readonly sent: string[] = [];
  onopen = () => undefined;
  onmessage = (_event: { data: unknown }) => undefined;
  onclose = (_event: { code: number }) => undefined;
  constructor() {
    dialled.push(this);
  }
  send(frame: string): void {
    this.sent.push(frame);
  }
  close(): void {
    this.readyState = 3;
  }
}

const handlers: WatchHandlers = { opened: () => {}, message: vi.fn(), state: () => {}, refused: () => {} };

beforeEach(() => {
  dialled = [];
  vi.useFakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(0.99);
  vi.stubGlobal('WebSocket', FakeSocket);
  vi.stubGlobal('location', { href: 'https://leash.test/' });
  vi.stubGlobal('document', { addEventListener() {}, removeEventListener() {}, visibilityState: 'visible' });
  vi.stubGlobal('addEventListener', () => {});
  vi.stubGlobal('removeEventListener', () => {});
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

function opened(): FakeSocket {
  const socket = dialled.at(-1);
  if (socket === undefined) throw new Error('nothing was dialled');
  socket.onopen();
  socket.onmessage({ data: 'hb' });
  return socket;
}

test('a ping is answered by how far was read, and not passed on', () => {
  const watch = openWatch('/watch', handlers);
  const socket = opened();
  socket.onmessage({ data: JSON.stringify({ type: 'ping', sent: 70_000 }) });
  expect(socket.sent).toEqual([JSON.stringify({ type: 'pong', sent: 70_000 })]);
  expect(handlers.message).not.toHaveBeenCalled();
  watch.close();
});

/** How long it takes until a closed link is dialled again. */
function pauseAfter(code: number): number {
  const watch = openWatch('/watch', handlers);
  const before = dialled.length;
  opened().onclose({ code });
  const closedAt = Date.now();
  while (dialled.length === before) vi.advanceTimersToNextTimer();
  watch.close();
  return Date.now() - closedAt;
}

test('one that was too slow comes back after a longer pause than one whose link broke', () => {
  expect(pauseAfter(1006)).toBeLessThan(1_000);
  expect(pauseAfter(4003)).toBeGreaterThan(9_000);
});

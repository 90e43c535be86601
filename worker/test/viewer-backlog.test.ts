import { expect, test } from 'vitest';
import { MAX_UNREAD_BYTES, MAX_VIEWER_UNREAD_BYTES, MIB, VIEWER_PING_BYTES } from '#protocol/limits';
import {
  type Backlog,
  NO_BACKLOG,
  readUpTo,
  sendCounted,
  tooFarBehind,
  unreadBytes,
} from '../durable/sockets/viewer-backlog.ts';

/** A socket, and the pings that it was sent. */
function socketOf() {
  const pings: number[] = [];
  const socket = {
    send(frame: string | Uint8Array) {
      if (typeof frame === 'string' && frame.startsWith('{')) pings.push((JSON.parse(frame) as { sent: number }).sent);
    },
  } as unknown as WebSocket;
  return { socket, pings };
}

const FRAME = 'x'.repeat(VIEWER_PING_BYTES / 2);

test('a viewer is asked after so much, and not again before it has answered', () => {
  const { socket, pings } = socketOf();
  let backlog: Backlog = NO_BACKLOG;
  for (let count = 0; count < 5; count++) backlog = sendCounted(socket, backlog, FRAME);
  expect(pings).toEqual([2 * FRAME.length]);
  backlog = readUpTo(backlog, 2 * FRAME.length);
  expect(unreadBytes(backlog)).toBe(3 * FRAME.length);
  backlog = sendCounted(socket, backlog, FRAME);
  expect(pings).toEqual([2 * FRAME.length, 6 * FRAME.length]);
});

test('who claims to have read more than it was asked about gains nothing', () => {
  const { socket } = socketOf();
  let backlog: Backlog = NO_BACKLOG;
  for (let count = 0; count < 5; count++) backlog = sendCounted(socket, backlog, FRAME);
  expect(unreadBytes(readUpTo(backlog, Number.MAX_SAFE_INTEGER))).toBe(3 * FRAME.length);
  expect(unreadBytes(readUpTo(readUpTo(backlog, 2 * FRAME.length), 0))).toBe(3 * FRAME.length);
});

const leaving = (bytes: number) => ({ backlog: { ...NO_BACKLOG, sent: bytes } });

test('one that leaves too much goes, and the others stay', () => {
  const slow = leaving(MAX_VIEWER_UNREAD_BYTES + 1);
  expect(tooFarBehind([leaving(10), slow, leaving(MAX_VIEWER_UNREAD_BYTES)])).toEqual([slow]);
});

test('where all together leave too much, those go that leave most, and no more of them than have to', () => {
  const slow = Array.from({ length: MAX_UNREAD_BYTES / (2 * MIB) }, () => leaving(2 * MIB));
  expect(tooFarBehind(slow)).toEqual([]);
  const more = [leaving(100), ...slow.slice(1), leaving(3 * MIB)];
  expect(tooFarBehind(more)).toEqual([more.at(-1)]);
});

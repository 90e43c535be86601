/**
 * How much was sent to a viewer that it has not read, as far as we know.
 *
 * The runtime buffers in memory what a peer does not read, without saying how much that is. So what is sent is counted,
 * and the viewer is asked now and then how far it has read.
 */
import { MAX_UNREAD_BYTES, MAX_VIEWER_UNREAD_BYTES, VIEWER_PING_BYTES } from '#protocol/limits';
import type { WatchMessage } from '#protocol/watch-link';

/** In bytes since the socket was opened. Text counts by its characters, which are nearly all ASCII. */
export interface Backlog {
  readonly sent: number;
  readonly read: number;
  /** How much had been sent when the viewer was last asked. */
  readonly pinged: number;
}

export const NO_BACKLOG: Backlog = { sent: 0, read: 0, pinged: 0 };

/** Sends a frame, and a ping if one is due. @returns the new backlog */
export function sendCounted(socket: WebSocket, backlog: Backlog, frame: string | Uint8Array): Backlog {
  socket.send(frame);
  const sent = backlog.sent + frame.length;
  const isDue = backlog.pinged <= backlog.read && sent - backlog.read >= VIEWER_PING_BYTES;
  if (!isDue) return { ...backlog, sent };
  socket.send(JSON.stringify({ type: 'ping', sent } satisfies WatchMessage));
  return { ...backlog, sent, pinged: sent };
}

/** The viewer answers a ping: it cannot have read more than it was asked about. */
export function readUpTo(backlog: Backlog, sent: number): Backlog {
  return { ...backlog, read: Math.max(backlog.read, Math.min(sent, backlog.pinged)) };
}

export function unreadBytes({ sent, read }: Backlog): number {
  return sent - read;
}

/**
 * The viewers that exceed the limit of one viewer, and then those with most unread until the rest fit into that of all.
 */
export function tooFarBehind<Viewer extends { readonly backlog: Backlog }>(viewers: readonly Viewer[]): Viewer[] {
  const unread = (viewer: Viewer) => unreadBytes(viewer.backlog);
  const byUnread = [...viewers].sort((one, other) => unread(other) - unread(one));
  let total = viewers.reduce((sum, viewer) => sum + unread(viewer), 0);
  return byUnread.filter((viewer) => {
    const isTooMuch = unread(viewer) > MAX_VIEWER_UNREAD_BYTES || total > MAX_UNREAD_BYTES;
    if (isTooMuch) total -= unread(viewer);
    return isTooMuch;
  });
}

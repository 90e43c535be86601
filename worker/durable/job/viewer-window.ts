/** How many bytes were sent to a viewer and not acked, without the gaps between them. Pure. */

export interface ViewerWindow {
  /** Sent up to this offset. */
  readonly sent: number;
  readonly acked: number;
  /** The gaps in [acked, sent), in order, as [from, to). */
  readonly gaps: readonly (readonly [from: number, to: number])[];
}

/** Gaps are stored in the socket's attachment, which holds 16 KiB. A gap beyond these counts as sent bytes. */
const MAX_GAPS = 100;

export function openWindow(offset: number): ViewerWindow {
  return { sent: offset, acked: offset, gaps: [] };
}

/** The bytes in flight, as far as we know. */
export function unackedBytes({ sent, acked, gaps }: ViewerWindow): number {
  return gaps.reduce((bytes, [from, to]) => bytes - (to - Math.max(from, acked)), sent - acked);
}

export function sentBytes(window: ViewerWindow, to: number): ViewerWindow {
  return { ...window, sent: to };
}

export function sentGap(window: ViewerWindow, from: number, to: number): ViewerWindow {
  const gaps = window.gaps.length < MAX_GAPS ? [...window.gaps, [from, to] as const] : window.gaps;
  return { ...window, sent: to, gaps };
}

/** An ack of more than was sent counts as an ack of all that was sent. */
export function ackedTo(window: ViewerWindow, offset: number): ViewerWindow {
  const acked = Math.min(offset, window.sent);
  return { ...window, acked, gaps: window.gaps.filter(([, to]) => to > acked) };
}

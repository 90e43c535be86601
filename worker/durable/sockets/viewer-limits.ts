/** How many viewers an object accepts, and for how long they may be silent. */
import { CLOSE_CODES } from '#protocol/close-codes';
import { MAX_VIEWERS, MAX_VIEWERS_PER_TOKEN, VIEWER_SILENCE_MS } from '#protocol/limits';
import type { AlarmScheduler } from '../job/alarm-scheduler.ts';

export const VIEWER_TAG = 'viewer';
const tokenTag = (token: string) => `viewer-of:${token}`;

/** The code and reason that a viewer's socket is closed with. */
export type CloseReason = readonly [code: number, reason: string];
export const SILENT_VIEWER: CloseReason = [CLOSE_CODES.unresponsive, 'nothing was heard; reconnect'];
export const VIEWER_BEHIND: CloseReason = [CLOSE_CODES.behind, 'too much was left unread; reconnect'];

export function closeViewers(viewers: readonly { readonly socket: WebSocket }[], [code, reason]: CloseReason): void {
  for (const { socket } of viewers) socket.close(code, reason);
}

/** A dashboard in a background tab sends something once a minute: a more frequent check would find nothing. */
const MIN_CHECK_MS = 30_000;

/** The tags of a viewer's socket, by which it is counted. */
export function viewerTags(token: string): string[] {
  return [VIEWER_TAG, tokenTag(token)];
}

/**
 * Which limit of viewers is reached; null if one more is allowed.
 *
 * Sockets that are being closed count: what a viewer has not read stays in memory until its link is gone.
 */
export function exceededViewerLimit(ctx: DurableObjectState, token: string): 'token' | 'object' | null {
  if (ctx.getWebSockets(tokenTag(token)).length >= MAX_VIEWERS_PER_TOKEN) return 'token';
  return ctx.getWebSockets(VIEWER_TAG).length >= MAX_VIEWERS ? 'object' : null;
}

/** The response in place of an upgrade. */
export function tooManyViewers(reason: 'token' | 'object'): Response {
  return new Response(reason, { status: 429 });
}

/** Finds silent viewers by an alarm that fires only while one is connected. */
export class ViewerSilence<Viewer extends { readonly socket: WebSocket }> {
  readonly #deadlines: AlarmScheduler;
  readonly #viewers: () => Viewer[];
  readonly #lastHeard: (viewer: Viewer) => number;

  /** @param lastHeard when anything last arrived from a viewer, heartbeats included */
  constructor(deadlines: AlarmScheduler, viewers: () => Viewer[], lastHeard: (viewer: Viewer) => number) {
    this.#deadlines = deadlines;
    this.#viewers = viewers;
    this.#lastHeard = lastHeard;
  }

  /** A viewer has connected, or the object is constructed and may have some. */
  watch(): void {
    if (this.#viewers().length > 0) this.#deadlines.armIfUnset('viewers', '', Date.now() + VIEWER_SILENCE_MS);
  }

  /** The `viewers` deadline. @returns those that were silent for too long: a half-open link never reports its end */
  due(): Viewer[] {
    const now = Date.now();
    const heard = this.#viewers().map((viewer) => ({ viewer, at: this.#lastHeard(viewer) }));
    const silent = heard.filter(({ at }) => at <= now - VIEWER_SILENCE_MS);
    const others = heard.filter(({ at }) => at > now - VIEWER_SILENCE_MS);
    if (others.length > 0) {
      const nextAt = others.reduce((first, { at }) => Math.min(first, at), now) + VIEWER_SILENCE_MS;
      this.#deadlines.arm('viewers', '', Math.max(nextAt, now + MIN_CHECK_MS));
    }
    return silent.map(({ viewer }) => viewer);
  }
}

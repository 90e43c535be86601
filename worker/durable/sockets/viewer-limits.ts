/** How many viewers an object takes, and for how long it bears their silence. */
import { CLOSE_CODES } from '#protocol/close-codes';
import { MAX_VIEWERS, MAX_VIEWERS_PER_TOKEN, VIEWER_SILENCE_MS } from '#protocol/limits';
import type { DeadlineBook } from '../job/deadlines.ts';

export const VIEWER_TAG = 'viewer';
const tokenTag = (token: string) => `viewer-of:${token}`;

/** How viewers are hung up on: the code and the reason of the close. */
export const SILENT_VIEWER = [CLOSE_CODES.unresponsive, 'no sign of life: dial again'] as const;
export const VIEWER_BEHIND = [CLOSE_CODES.behind, 'too much was left unread: dial again'] as const;

/** A page in the background says something once a minute: to look more often than this would find nothing. */
const MIN_CHECK_MS = 30_000;

/** The tags of a viewer's socket, by which it is counted. */
export function viewerTags(token: string): string[] {
  return [VIEWER_TAG, tokenTag(token)];
}

/**
 * Why there is no room for one more; null when there is.
 *
 * Sockets that are being closed count: what a viewer has not read stays in memory until its link is gone.
 */
export function fullBecause(ctx: DurableObjectState, token: string): 'token' | 'object' | null {
  if (ctx.getWebSockets(tokenTag(token)).length >= MAX_VIEWERS_PER_TOKEN) return 'token';
  return ctx.getWebSockets(VIEWER_TAG).length >= MAX_VIEWERS ? 'object' : null;
}

/** What the Worker is answered in place of an upgrade. */
export function fullResponse(reason: 'token' | 'object'): Response {
  return new Response(reason, { status: 429 });
}

/** Watches for silence by an alarm that rings only while somebody is connected. */
export class ViewerSilence<Viewer extends { readonly socket: WebSocket }> {
  readonly #deadlines: DeadlineBook;
  readonly #viewers: () => Viewer[];
  readonly #lastHeard: (viewer: Viewer) => number;

  /** @param lastHeard when anything last came from a viewer, heartbeats included */
  constructor(deadlines: DeadlineBook, viewers: () => Viewer[], lastHeard: (viewer: Viewer) => number) {
    this.#deadlines = deadlines;
    this.#viewers = viewers;
    this.#lastHeard = lastHeard;
  }

  /** Somebody has come. */
  watch(): void {
    if (!this.#deadlines.has('viewers', '')) this.#deadlines.arm('viewers', '', Date.now() + VIEWER_SILENCE_MS);
  }

  /** The `viewers` deadline. @returns those of whom nothing was heard for too long: half-open links never say that they are dead */
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

/**
 * Closes the sockets of wrappers that never send `start`.
 *
 * A timer and no deadline: an object whose wrappers have only connected has nothing to store. The timer keeps the object
 * in memory; should it be constructed again all the same, it waits for the rest of the time.
 */
import { CLOSE_CODES } from '#protocol/close-codes';
import { close } from './sockets.ts';

/** A wrapper sends `start` as soon as it is connected: a socket without one by now is not a wrapper's, or is dead. */
const START_MS = 30_000;

export class StartTimeout {
  /** The sockets without `start`, oldest first, and when each is due. */
  readonly #dueAt = new Map<WebSocket, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** A wrapper has connected. */
  watch(socket: WebSocket): void {
    this.#dueAt.set(socket, Date.now() + START_MS);
    this.#timer ??= setTimeout(() => this.#closeDue(), START_MS);
  }

  /** The object was constructed: these have connected before, and are closed if they are overdue. */
  resume(waiting: readonly { readonly socket: WebSocket; readonly acceptedAt: number }[]): void {
    const oldestFirst = waiting.toSorted((a, b) => a.acceptedAt - b.acceptedAt);
    for (const { socket, acceptedAt } of oldestFirst) this.#dueAt.set(socket, acceptedAt + START_MS);
    this.#closeDue();
  }

  /** It has sent `start`, or is gone. Without others to wait for, the object may hibernate. */
  stop(socket: WebSocket): void {
    this.#dueAt.delete(socket);
    if (this.#dueAt.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #closeDue(): void {
    const now = Date.now();
    this.#timer = undefined;
    for (const [socket, dueAt] of this.#dueAt) {
      if (dueAt > now) {
        this.#timer = setTimeout(() => this.#closeDue(), dueAt - now);
        return;
      }
      this.#dueAt.delete(socket);
      close(socket, CLOSE_CODES.unresponsive, 'no start; reconnect');
    }
  }
}

/**
 * The object's WebSockets. What belongs to a socket is in its attachment, so that it survives hibernation; nothing here
 * is kept in memory.
 */

import { CLOSE_CODES } from '#protocol/close-codes';
import { HEARTBEAT } from '#protocol/limits';
import type { WatchMessage } from '#protocol/watch-link';
import type { ObjectMessage } from '#protocol/wrapper-link';
import { type Backlog, NO_BACKLOG, sendCounted } from '../sockets/viewer-backlog.ts';
import { VIEWER_TAG, viewerTags } from '../sockets/viewer-limits.ts';
import type { RunRecord } from './run-store.ts';
import type { ViewerWindow } from './viewer-window.ts';

export interface WrapperAttachment {
  readonly kind: 'wrapper';
  readonly run: string;
  readonly instance: string;
  readonly machine: string;
  readonly acceptedAt: number;
  /** Which of its run's sockets this is; null until it said `start`. */
  readonly generation: number | null;
  /** Whether it said that its run had ended: then it stays for what is left running, and a wrapper that has just told its end leaves. */
  readonly isKept: boolean;
  /** When a frame other than a heartbeat last came, give or take HEARD_RESOLUTION_MS. */
  readonly heardAt: number;
}

export interface ViewerAttachment {
  readonly kind: 'viewer';
  /** When a frame other than a heartbeat last came, give or take HEARD_RESOLUTION_MS. */
  readonly heardAt: number;
  readonly backlog: Backlog;
  readonly follows: Following | null;
}

/** An open socket of a viewer. */
export interface Viewer {
  readonly socket: WebSocket;
  readonly attachment: ViewerAttachment;
}

/** The run that a viewer follows, and how far it got with the run's output. */
export interface Following {
  readonly run: string;
  readonly window: ViewerWindow;
  /** How many more bytes of it the viewer wants; null for all that come. */
  readonly wantedBytes: number | null;
  /** It was told to fetch: nothing is sent until it subscribes again. */
  readonly behind: boolean;
}

/** A call of the Worker that waits for a kill's end. It only listens. */
export interface WaiterAttachment {
  readonly kind: 'waiter';
}

export type Attachment = WrapperAttachment | ViewerAttachment | WaiterAttachment;

const runTag = (run: string) => `run:${run}`;
const waiterTag = (kill: string) => `wait:${kill}`;

/** How exactly the last sign of life is kept: to write an attachment for each frame of a flood would be waste. */
const HEARD_RESOLUTION_MS = 500;

export class Sockets {
  readonly #ctx: DurableObjectState;

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
    // Answered by the runtime: a heartbeat wakes nothing.
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(HEARTBEAT, HEARTBEAT));
  }

  /** @param tag of what it was opened with */
  acceptWrapper(socket: WebSocket, who: Pick<WrapperAttachment, 'run' | 'instance' | 'machine'>, tag: string): void {
    const now = Date.now();
    this.#ctx.acceptWebSocket(socket, [runTag(who.run), tag]);
    attach(socket, { kind: 'wrapper', ...who, acceptedAt: now, generation: null, isKept: false, heardAt: now });
  }

  /** @param tag of what it was opened with */
  acceptViewer(socket: WebSocket, token: string, tag: string): void {
    this.#ctx.acceptWebSocket(socket, [...viewerTags(token), tag]);
    attach(socket, { kind: 'viewer', heardAt: Date.now(), backlog: NO_BACKLOG, follows: null });
  }

  /** Takes a call that waits for a kill. Being a socket, it lets the object sleep meanwhile. */
  acceptWaiter(socket: WebSocket, kill: string): void {
    this.#ctx.acceptWebSocket(socket, [waiterTag(kill)]);
    attach(socket, { kind: 'waiter' });
  }

  waiters(kill: string): WebSocket[] {
    return this.#open(waiterTag(kill));
  }

  /** The socket that speaks for a run: the newest that said `start`, if it is open. */
  current(run: RunRecord): WebSocket | null {
    return this.#open(runTag(run.id)).find((socket) => this.speaksFor(socket, run)) ?? null;
  }

  speaksFor(socket: WebSocket, run: RunRecord): boolean {
    const attachment = attachmentOf(socket);
    return attachment.kind === 'wrapper' && attachment.run === run.id && attachment.generation === run.generation;
  }

  /** Makes a socket the one that speaks for its run, and closes those that did before. */
  promote(socket: WebSocket, attachment: WrapperAttachment, generation: number, isKept: boolean): void {
    attach(socket, { ...attachment, generation, isKept, heardAt: Date.now() });
    for (const other of this.#open(runTag(attachment.run))) {
      const theirs = attachmentOf(other);
      if (other !== socket && theirs.kind === 'wrapper' && theirs.generation !== null) {
        close(other, CLOSE_CODES.superseded, 'superseded by a newer connection of this run');
      }
    }
  }

  /** The sockets of wrappers that have not said `start` yet, and when each was accepted. */
  unannounced(): { socket: WebSocket; acceptedAt: number }[] {
    return this.#open().flatMap((socket) => {
      const attachment = attachmentOf(socket);
      const isUnannounced = attachment.kind === 'wrapper' && attachment.generation === null;
      return isUnannounced ? [{ socket, acceptedAt: attachment.acceptedAt }] : [];
    });
  }

  /** Notes that a frame came. */
  heard(socket: WebSocket, attachment: WrapperAttachment | ViewerAttachment): void {
    const now = Date.now();
    if (now - attachment.heardAt >= HEARD_RESOLUTION_MS) attach(socket, { ...attachment, heardAt: now });
  }

  /** When anything last came over the socket of a wrapper or viewer, heartbeats included. */
  lastHeard(socket: WebSocket): number {
    const attachment = attachmentOf(socket);
    const heardAt = attachment.kind === 'waiter' ? 0 : attachment.heardAt;
    return Math.max(heardAt, this.#ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0);
  }

  viewers(): Viewer[] {
    return this.#open(VIEWER_TAG).flatMap((socket) => {
      const attachment = attachmentOf(socket);
      return attachment.kind === 'viewer' ? [{ socket, attachment }] : [];
    });
  }

  /** Whether anyone is connected, introduced or not. */
  get isAnyOpen(): boolean {
    return this.#open().length > 0;
  }

  /** `getWebSockets` still lists a socket that is being closed. */
  #open(tag?: string): WebSocket[] {
    return this.#ctx.getWebSockets(tag).filter((socket) => socket.readyState === WebSocket.OPEN);
  }
}

export function attachmentOf(socket: WebSocket): Attachment {
  return socket.deserializeAttachment() as Attachment;
}

export function attach(socket: WebSocket, attachment: Attachment): void {
  socket.serializeAttachment(attachment);
}

/** Notes which run a viewer follows, and how far it got. */
export function attachFollowing(socket: WebSocket, follows: Following): void {
  const attachment = attachmentOf(socket);
  if (attachment.kind === 'viewer') attach(socket, { ...attachment, follows });
}

/** Sends a viewer a message, or nothing when the socket has closed meanwhile, and counts what it has to read. */
export function sendToViewer(socket: WebSocket, message: WatchMessage | Uint8Array): void {
  const attachment = attachmentOf(socket);
  if (attachment.kind !== 'viewer' || socket.readyState !== WebSocket.OPEN) return;
  const frame = message instanceof Uint8Array ? message : JSON.stringify(message);
  attach(socket, { ...attachment, backlog: sendCounted(socket, attachment.backlog, frame) });
}

/** Sends a message, or nothing when the socket has closed meanwhile: its close event tells the rest. */
export function send(socket: WebSocket, message: ObjectMessage | WatchMessage | Uint8Array): void {
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.send(message instanceof Uint8Array ? message : JSON.stringify(message));
}

export function close(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState === WebSocket.OPEN) socket.close(code, reason);
}

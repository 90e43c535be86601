/**
 * The object's WebSockets. What belongs to a socket is in its attachment, so that it survives hibernation; nothing of
 * it is in memory.
 */
import type { StandingOrder } from '#protocol/brakes';
import { CLOSE_CODES } from '#protocol/close-codes';
import { HEARTBEAT } from '#protocol/limits';
import type { SaltpeterNames } from '#protocol/saltpeter-link';
import type { WatchMessage } from '#protocol/watch-link';
import type { ObjectMessage } from '#protocol/wrapper-link';
import type { Credential } from '../../shared/credential.ts';
import { credentialTag } from '../sockets/credentials.ts';
import { type Backlog, NO_BACKLOG, sendCounted } from '../sockets/viewer-backlog.ts';
import { VIEWER_TAG, viewerTags } from '../sockets/viewer-limits.ts';
import type { RunRecord } from './run-store.ts';
import { toSaltpeter } from './saltpeter/to-saltpeter.ts';
import type { ViewerWindow } from './viewer-window.ts';

export interface WrapperAttachment {
  readonly kind: 'wrapper';
  readonly run: string;
  readonly instance: string;
  readonly machine: string;
  /** How Saltpeter's wrapper names the run; absent if the wrapper is Leash's own. */
  readonly saltpeter?: SaltpeterNames | undefined;
  readonly credential: Credential;
  /** The brakes that matched the run when the socket was opened; absent: none did. */
  readonly orders?: readonly StandingOrder[] | undefined;
  readonly acceptedAt: number;
  /** Which of its run's sockets this is; null until it sends `start`. */
  readonly generation: number | null;
  /**
   * Whether its `start` said that the run had ended: a keeper stays, whereas a wrapper that has just completed leaves.
   */
  readonly isKeeper: boolean;
  /** Whether it sends what it has when it is asked to. */
  readonly answersFlush: boolean;
  /** When a frame other than a heartbeat last arrived, to HEARD_RESOLUTION_MS. */
  readonly heardAt: number;
}

export interface ViewerAttachment {
  readonly kind: 'viewer';
  /** When a frame other than a heartbeat last arrived, to HEARD_RESOLUTION_MS. */
  readonly heardAt: number;
  readonly backlog: Backlog;
  readonly follows: Following | null;
}

/** An open socket of a viewer. */
export interface Viewer {
  readonly socket: WebSocket;
  readonly attachment: ViewerAttachment;
}

/** The run that a viewer follows, and how much of its output was sent. */
export interface Following {
  readonly run: string;
  readonly window: ViewerWindow;
  /** How many more bytes the viewer wants; null for all. */
  readonly wantedBytes: number | null;
  /** It was told that it is behind: nothing is sent until it subscribes again. */
  readonly behind: boolean;
}

/** A call of the Worker that waits for a kill to be settled. It only listens. */
export interface WaiterAttachment {
  readonly kind: 'waiter';
}

export type Attachment = WrapperAttachment | ViewerAttachment | WaiterAttachment;

/** What of a run says which socket is its current one. */
type SocketOwner = Pick<RunRecord, 'id' | 'generation'>;

const runTag = (run: string) => `run:${run}`;
const waiterTag = (kill: string) => `wait:${kill}`;

/** How exactly `heardAt` is stored: an attachment is not written for each frame of a flood. */
const HEARD_RESOLUTION_MS = 500;

export class Sockets {
  readonly #ctx: DurableObjectState;

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
    // The runtime answers: a heartbeat does not wake the object.
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(HEARTBEAT, HEARTBEAT));
  }

  acceptWrapper(
    socket: WebSocket,
    who: Pick<WrapperAttachment, 'run' | 'instance' | 'machine' | 'saltpeter' | 'credential' | 'orders'>,
  ): void {
    const now = Date.now();
    this.#ctx.acceptWebSocket(socket, [runTag(who.run), credentialTag(who.credential)]);
    const unannounced = { generation: null, isKeeper: false, answersFlush: false };
    attach(socket, { kind: 'wrapper', ...who, ...unannounced, acceptedAt: now, heardAt: now });
  }

  acceptViewer(socket: WebSocket, credential: Credential): void {
    this.#ctx.acceptWebSocket(socket, [...viewerTags(credential.token), credentialTag(credential)]);
    attach(socket, { kind: 'viewer', heardAt: Date.now(), backlog: NO_BACKLOG, follows: null });
  }

  /** Accepts a call that waits for a kill. As a socket, it lets the object hibernate. */
  acceptWaiter(socket: WebSocket, kill: string): void {
    this.#ctx.acceptWebSocket(socket, [waiterTag(kill)]);
    attach(socket, { kind: 'waiter' });
  }

  waiters(kill: string): WebSocket[] {
    return this.#open(waiterTag(kill));
  }

  /** The run's current socket: the newest that sent `start`, if it is open. */
  current(run: SocketOwner): WebSocket | null {
    return this.#open(runTag(run.id)).find((socket) => this.speaksFor(socket, run)) ?? null;
  }

  speaksFor(socket: WebSocket, run: SocketOwner): boolean {
    const attachment = attachmentOf(socket);
    return attachment.kind === 'wrapper' && attachment.run === run.id && attachment.generation === run.generation;
  }

  /** What is known of the wrapper at the run's current socket; null: it has none. */
  linkOf(run: SocketOwner): WrapperAttachment | null {
    const socket = this.current(run);
    const attachment = socket === null ? null : attachmentOf(socket);
    return attachment?.kind === 'wrapper' ? attachment : null;
  }

  /** An order that matches the run was given since it connected. */
  addOrder(run: SocketOwner, order: StandingOrder): void {
    const socket = this.current(run);
    const attachment = socket === null ? null : attachmentOf(socket);
    if (socket === null || attachment?.kind !== 'wrapper') return;
    const others = (attachment.orders ?? []).filter(({ id }) => id !== order.id);
    attach(socket, { ...attachment, orders: [...others, order] });
  }

  /** Makes a socket the current one of its run, and closes the others. */
  promote(
    socket: WebSocket,
    attachment: WrapperAttachment,
    start: Pick<WrapperAttachment, 'isKeeper' | 'answersFlush'> & { readonly generation: number },
  ): void {
    attach(socket, { ...attachment, ...start, heardAt: Date.now() });
    for (const other of this.#open(runTag(attachment.run))) {
      const theirs = attachmentOf(other);
      if (other !== socket && theirs.kind === 'wrapper' && theirs.generation !== null) {
        close(other, CLOSE_CODES.superseded, 'superseded by a newer connection of this run');
      }
    }
  }

  /** The sockets of wrappers that have not sent `start` yet, and when each was accepted. */
  awaitingStart(): { socket: WebSocket; acceptedAt: number }[] {
    return this.#open().flatMap((socket) => {
      const attachment = attachmentOf(socket);
      const isUnannounced = attachment.kind === 'wrapper' && attachment.generation === null;
      return isUnannounced ? [{ socket, acceptedAt: attachment.acceptedAt }] : [];
    });
  }

  /** Records that a frame arrived. */
  heard(socket: WebSocket, attachment: WrapperAttachment | ViewerAttachment): void {
    const now = Date.now();
    if (now - attachment.heardAt >= HEARD_RESOLUTION_MS) attach(socket, { ...attachment, heardAt: now });
  }

  /** When anything last arrived from a wrapper or viewer, heartbeats included. */
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

  /** Whether any socket is open, with or without `start`. */
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

/** Stores which run a viewer follows, and how much of its output was sent. */
export function attachFollowing(socket: WebSocket, follows: Following): void {
  const attachment = attachmentOf(socket);
  if (attachment.kind === 'viewer') attach(socket, { ...attachment, follows });
}

/** Sends a viewer a message, unless its socket has closed meanwhile, and counts what it has to read. */
export function sendToViewer(socket: WebSocket, message: WatchMessage | Uint8Array): void {
  const attachment = attachmentOf(socket);
  if (attachment.kind !== 'viewer' || socket.readyState !== WebSocket.OPEN) return;
  const frame = message instanceof Uint8Array ? message : JSON.stringify(message);
  attach(socket, { ...attachment, backlog: sendCounted(socket, attachment.backlog, frame) });
}

/** Sends a message, unless the socket has closed meanwhile: its close event follows. */
export function send(socket: WebSocket, message: ObjectMessage | WatchMessage | Uint8Array): void {
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.send(message instanceof Uint8Array ? message : JSON.stringify(message));
}

/** Sends a wrapper a message, in the words of its own protocol. */
export function sendToWrapper(socket: WebSocket, message: ObjectMessage): void {
  const attachment = attachmentOf(socket);
  if (attachment.kind !== 'wrapper' || attachment.saltpeter === undefined) send(socket, message);
  else if (socket.readyState === WebSocket.OPEN) {
    const frame = toSaltpeter(message, attachment.saltpeter);
    if (frame !== null) socket.send(frame);
  }
}

export function close(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState === WebSocket.OPEN) socket.close(code, reason);
}

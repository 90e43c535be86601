/** Pages and terminals that watch this job: state to all of them, events and output to those that follow the run. */
import type { Kill, Run, RunEvent } from '#protocol/api';
import { MAX_VIEWER_UNACKED_BYTES } from '#protocol/limits';
import { encodeOutputFrame } from '#protocol/output-frame';
import type { ViewerMessage } from '#protocol/watch-link';
import type { FlowMode } from '#protocol/wrapper-link';
import type { OutputPiece } from '../../shared/rpc/job-object.ts';
import { readUpTo, tooFarBehind } from '../sockets/viewer-backlog.ts';
import { SILENT_VIEWER, VIEWER_BEHIND, ViewerSilence } from '../sockets/viewer-limits.ts';
import type { DeadlineBook } from './deadlines.ts';
import type { OutputLog } from './output-log.ts';
import type { RunStore } from './run-store.ts';
import {
  attach,
  attachFollowing,
  attachmentOf,
  close,
  type Following,
  type Sockets,
  sendToViewer,
  type Viewer,
  type ViewerAttachment,
} from './sockets.ts';
import { ackedTo, openWindow, sentBytes, sentGap, unackedBytes, type ViewerWindow } from './viewer-window.ts';

type Subscribe = Extract<ViewerMessage, { type: 'subscribe' }>;

export class Viewers {
  readonly #sockets: Sockets;
  readonly #runs: RunStore;
  readonly #output: OutputLog;
  readonly #silence: ViewerSilence<Viewer>;

  constructor(sockets: Sockets, runs: RunStore, output: OutputLog, deadlines: DeadlineBook) {
    this.#silence = new ViewerSilence(
      deadlines,
      () => sockets.viewers(),
      ({ socket }) => sockets.lastHeard(socket),
    );
    this.#sockets = sockets;
    this.#runs = runs;
    this.#output = output;
  }

  isAnyoneThere(): boolean {
    return this.#sockets.viewers().length > 0;
  }

  run(run: Run): void {
    for (const { socket } of this.#sockets.viewers()) sendToViewer(socket, { type: 'run', run });
  }

  forgotten(job: string, run: string, seq: number): void {
    for (const { socket } of this.#sockets.viewers()) sendToViewer(socket, { type: 'run_forgotten', job, run, seq });
  }

  kill(kill: Kill): void {
    for (const { socket } of this.#sockets.viewers()) sendToViewer(socket, { type: 'kill', kill });
  }

  event(run: string, event: RunEvent): void {
    for (const { socket, attachment } of this.#sockets.viewers()) {
      if (attachment.follows?.run === run) sendToViewer(socket, { type: 'event', run, event });
    }
  }

  /** There is new output: sends it on to whoever follows the run. */
  output(run: string): void {
    for (const { socket, attachment } of this.#sockets.viewers()) {
      if (attachment.follows?.run === run) this.#pump(socket, attachment.follows);
    }
  }

  /** How eagerly a run's wrapper is to send: at once while someone follows it. */
  flow(run: string, except?: WebSocket): FlowMode {
    const watched = this.#sockets
      .viewers()
      .some(({ socket, attachment }) => socket !== except && attachment.follows?.run === run);
    return watched ? 'eager' : 'lazy';
  }

  /** Somebody has come. */
  opened(): void {
    this.#silence.watch();
  }

  /** The `viewers` deadline: hangs up on the silent. @returns the runs that they followed */
  dropSilent(): string[] {
    return hangUp(this.#silence.due(), SILENT_VIEWER);
  }

  /** Hangs up on viewers that leave too much unread. @returns the runs that they followed */
  dropBehind(): string[] {
    const viewers = this.#sockets.viewers().map((viewer) => ({ ...viewer, backlog: viewer.attachment.backlog }));
    return hangUp(tooFarBehind(viewers), VIEWER_BEHIND);
  }

  receive(socket: WebSocket, attachment: ViewerAttachment, message: ViewerMessage): void {
    switch (message.type) {
      case 'subscribe':
        this.#subscribe(socket, message);
        return;
      case 'ack':
        this.#acked(socket, attachment, message.run, message.offset);
        return;
      case 'pong':
        this.#read(socket, message.sent);
        return;
    }
  }

  #subscribe(socket: WebSocket, { run: id, offset, bytes, tail }: Subscribe): void {
    const run = this.#runs.get(id);
    if (run === null) {
      sendToViewer(socket, { type: 'error', code: 'unknown_run', message: `this job has no run ${id}` });
      return;
    }
    const earliest = tail === undefined ? 0 : this.#output.tailStart(id, run.outputEnd, tail);
    const from = Math.max(earliest, Math.min(offset, run.outputEnd));
    const follows: Following = { run: id, window: openWindow(from), wantedBytes: bytes ?? null, behind: false };
    attachFollowing(socket, follows);
    sendToViewer(socket, { type: 'subscribed', run: id, offset: from });
    this.#pump(socket, follows);
  }

  #acked(socket: WebSocket, attachment: ViewerAttachment, run: string, offset: number): void {
    const follows = attachment.follows;
    // An ack may be for a run that was followed before: it is late, not wrong.
    if (follows?.run !== run || offset <= follows.window.acked) return;
    this.#pump(socket, { ...follows, window: ackedTo(follows.window, offset) });
  }

  #read(socket: WebSocket, sent: number): void {
    const attachment = attachmentOf(socket);
    if (attachment.kind === 'viewer') attach(socket, { ...attachment, backlog: readUpTo(attachment.backlog, sent) });
  }

  /** Sends what is stored and not sent yet, or tells a viewer that takes too little of it to fetch. */
  #pump(socket: WebSocket, follows: Following): void {
    let { window, wantedBytes, behind } = follows;
    const end = this.#runs.get(follows.run)?.outputEnd ?? window.sent;
    while (!behind && wantedBytes !== 0 && window.sent < end) {
      const room = MAX_VIEWER_UNACKED_BYTES - unackedBytes(window);
      if (room <= 0) {
        behind = true;
        sendToViewer(socket, { type: 'behind', run: follows.run, offset: window.sent });
        break;
      }
      const pieces = this.#output.read(follows.run, window.sent, end, Math.min(room, wantedBytes ?? room));
      if (pieces.length === 0) throw new Error(`the log of run ${follows.run} has a hole at ${window.sent}`);
      for (const piece of pieces) {
        window = sendPiece(socket, follows.run, window, piece);
        // A gap is told whole, and is none of them.
        if (piece.kind === 'bytes' && wantedBytes !== null) wantedBytes = Math.max(0, wantedBytes - piece.bytes.length);
      }
    }
    attachFollowing(socket, { ...follows, window, wantedBytes, behind });
  }
}

/** @returns the window with the piece in it */
function sendPiece(socket: WebSocket, run: string, window: ViewerWindow, piece: OutputPiece): ViewerWindow {
  switch (piece.kind) {
    case 'bytes':
      sendToViewer(socket, encodeOutputFrame(piece));
      return sentBytes(window, piece.start + piece.bytes.length);
    case 'lost':
      sendToViewer(socket, {
        type: 'gap',
        run,
        from: piece.start,
        to: piece.end,
        ...(piece.begin < piece.start && { begin: piece.begin }),
      });
      return sentGap(window, piece.start, piece.end);
  }
}

/** @returns the runs that they followed */
function hangUp(viewers: readonly Viewer[], [code, reason]: readonly [number, string]): string[] {
  for (const { socket } of viewers) close(socket, code, reason);
  return viewers.flatMap(({ attachment }) => attachment.follows?.run ?? []);
}

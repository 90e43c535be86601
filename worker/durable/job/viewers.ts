/** The viewers of this job: all get its runs and kills; those that follow a run also get its events and output. */
import type { RunEvent } from '#protocol/api';
import { MAX_VIEWER_UNACKED_BYTES } from '#protocol/limits';
import { encodeOutputFrame, MAX_OUTPUT_PAYLOAD_BYTES } from '#protocol/output-frame';
import type { Usage } from '#protocol/usage';
import { readViewerMessage, type ViewerMessage, type WatchMessage } from '#protocol/watch-link';
import type { FlowMode, Pacing } from '#protocol/wrapper-link';
import type { Credential } from '../../shared/credential.ts';
import { log } from '../../shared/log.ts';
import type { OutputPart } from '../../shared/rpc/job-object.ts';
import { readUpTo, tooFarBehind } from '../sockets/viewer-backlog.ts';
import {
  type CloseReason,
  closeViewers,
  SILENT_VIEWER,
  VIEWER_BEHIND,
  ViewerSilence,
} from '../sockets/viewer-limits.ts';
import type { JobContext } from './job-context.ts';
import type { StoredPart } from './output-store.ts';
import {
  attach,
  attachFollowing,
  attachmentOf,
  close,
  type Following,
  sendToViewer,
  sendToWrapper,
  type Viewer,
  type ViewerAttachment,
} from './sockets.ts';
import { ackedTo, openWindow, sentBytes, sentGap, unackedBytes, type ViewerWindow } from './viewer-window.ts';

type Subscribe = Extract<ViewerMessage, { type: 'subscribe' }>;

const WATCHED: Pacing = { delay_ms: 0, interval_ms: 30, max_bytes: MAX_OUTPUT_PAYLOAD_BYTES };
/** A line that follows a pause arrives within a second; what is printed all the time costs a row for each interval. */
const UNWATCHED: Omit<Pacing, 'interval_ms'> = { delay_ms: 1_000, max_bytes: MAX_OUTPUT_PAYLOAD_BYTES };

export class Viewers {
  readonly #job: JobContext;
  readonly #silence: ViewerSilence<Viewer>;
  /** The viewers for which output is being fetched from the bucket. */
  readonly #loading = new WeakSet<WebSocket>();

  constructor(job: JobContext) {
    this.#job = job;
    this.#silence = new ViewerSilence(
      job.deadlines,
      () => job.sockets.viewers(),
      ({ socket }) => job.sockets.lastHeard(socket),
    );
  }

  /** Accepts a viewer and sends it what D1 may not have yet, because the lists that it reads next come from D1. */
  accept(socket: WebSocket, credential: Credential): void {
    this.#job.sockets.acceptViewer(socket, credential);
    this.#job.credentials.opened(credential);
    this.#silence.watch();
    const { runs, kills, expectations = [] } = this.#job.outbox.pending();
    for (const run of runs) sendToViewer(socket, { type: 'run', run });
    for (const kill of kills) sendToViewer(socket, { type: 'kill', kill });
    for (const expectation of expectations) sendToViewer(socket, { type: 'expectation', expectation });
  }

  /** The object is constructed, and may have viewers. */
  watchSilence(): void {
    this.#silence.watch();
  }

  hasAny(): boolean {
    return this.#job.sockets.viewers().length > 0;
  }

  broadcast(message: WatchMessage): void {
    for (const { socket } of this.#job.sockets.viewers()) sendToViewer(socket, message);
  }

  event(run: string, event: RunEvent): void {
    for (const { socket } of this.#followersOf(run)) sendToViewer(socket, { type: 'event', run, event });
  }

  usage(run: string, usage: Usage): void {
    for (const { socket } of this.#followersOf(run)) sendToViewer(socket, { type: 'usage', run, usage });
  }

  /** Sends new output to the viewers that follow the run. */
  output(run: string): void {
    for (const { socket, follows } of this.#followersOf(run)) this.#pump(socket, follows);
  }

  /** How a run's wrapper should send: at once while a viewer follows the run. */
  flow(run: string, except?: WebSocket): { readonly mode: FlowMode; readonly pacing: Pacing } {
    if (this.#followersOf(run).some(({ socket }) => socket !== except)) return { mode: 'eager', pacing: WATCHED };
    return { mode: 'lazy', pacing: { ...UNWATCHED, interval_ms: this.#job.settings.outputIntervalMs } };
  }

  /**
   * Sends a run's wrapper the flow mode.
   *
   * @param leaving a viewer that no longer counts
   */
  adjustFlow(id: string, leaving?: WebSocket): void {
    const run = this.#job.runs.get(id);
    const socket = run === null ? null : this.#job.sockets.current(run);
    if (socket !== null) sendToWrapper(socket, { type: 'flow', ...this.flow(id, leaving) });
  }

  /** The `viewers` deadline. */
  closeSilent(): void {
    this.#close(this.#silence.due(), SILENT_VIEWER);
  }

  /** Closes viewers that leave too much unread. Call it after each send. */
  closeBehind(): void {
    const viewers = this.#job.sockets.viewers().map((viewer) => ({ ...viewer, backlog: viewer.attachment.backlog }));
    this.#close(tooFarBehind(viewers), VIEWER_BEHIND);
  }

  receive(socket: WebSocket, attachment: ViewerAttachment, frame: string | ArrayBuffer): void {
    const read = typeof frame === 'string' ? readViewerMessage(frame) : null;
    if (read?.kind !== 'message') {
      const code = read?.kind === 'unknown_type' ? 'unknown_type' : 'bad_frame';
      log.warn('viewer_refused', { job: this.#job.name, code });
      sendToViewer(socket, { type: 'error', code, message: 'viewers may send `subscribe`, `ack` and `pong`' });
      return;
    }
    const { message } = read;
    switch (message.type) {
      case 'subscribe':
        this.#subscribe(socket, message);
        if (attachment.follows !== null && attachment.follows.run !== message.run) {
          this.adjustFlow(attachment.follows.run);
        }
        this.adjustFlow(message.run);
        return;
      case 'ack':
        this.#acked(socket, attachment, message.run, message.offset);
        return;
      case 'pong':
        this.#read(socket, message.sent);
        return;
    }
  }

  #close(viewers: readonly Viewer[], reason: CloseReason): void {
    closeViewers(viewers, reason);
    for (const { attachment } of viewers) if (attachment.follows !== null) this.adjustFlow(attachment.follows.run);
  }

  #followersOf(run: string): { socket: WebSocket; follows: Following }[] {
    return this.#job.sockets
      .viewers()
      .flatMap(({ socket, attachment: { follows } }) => (follows?.run === run ? [{ socket, follows }] : []));
  }

  #subscribe(socket: WebSocket, { run: id, offset, bytes, tail }: Subscribe): void {
    const run = this.#job.runs.get(id);
    if (run === null) {
      sendToViewer(socket, { type: 'error', code: 'unknown_run', message: `this job has no run ${id}` });
      return;
    }
    const earliest = tail === undefined ? 0 : this.#job.output.tailStart(id, run.outputEnd, tail);
    const from = Math.max(earliest, Math.min(offset, run.outputEnd));
    const follows: Following = { run: id, window: openWindow(from), wantedBytes: bytes ?? null, behind: false };
    attachFollowing(socket, follows);
    sendToViewer(socket, { type: 'subscribed', run: id, offset: from });
    this.#pump(socket, follows);
  }

  #acked(socket: WebSocket, attachment: ViewerAttachment, run: string, offset: number): void {
    const follows = attachment.follows;
    // A late ack may be for a run that was followed before.
    if (follows?.run !== run || offset <= follows.window.acked) return;
    this.#pump(socket, { ...follows, window: ackedTo(follows.window, offset) });
  }

  #read(socket: WebSocket, sent: number): void {
    const attachment = attachmentOf(socket);
    if (attachment.kind === 'viewer') attach(socket, { ...attachment, backlog: readUpTo(attachment.backlog, sent) });
  }

  /** Sends what is stored and not sent yet; a viewer that acks too little of it gets `behind`. */
  #pump(socket: WebSocket, follows: Following): void {
    let now = follows;
    const end = this.#job.runs.get(now.run)?.outputEnd ?? now.window.sent;
    while (!now.behind && now.wantedBytes !== 0 && now.window.sent < end) {
      const { run, window, wantedBytes } = now;
      const room = MAX_VIEWER_UNACKED_BYTES - unackedBytes(window);
      if (room <= 0) {
        now = { ...now, behind: true };
        sendToViewer(socket, { type: 'behind', run, offset: window.sent });
        break;
      }
      const parts = this.#job.output.read(run, window.sent, end, Math.min(room, wantedBytes ?? room));
      if (parts.length === 0) throw new Error(`the output of run ${run} isn't contiguous at ${window.sent}`);
      const here = partsBeforeArchive(parts);
      if (here.length === 0) {
        this.#load(socket, run, parts);
        break;
      }
      now = sendParts(socket, now, here);
    }
    attachFollowing(socket, now);
  }

  /** Sends output that is in the bucket when it is here, and then continues. */
  #load(socket: WebSocket, run: string, parts: readonly StoredPart[]): void {
    if (this.#loading.has(socket)) return;
    this.#loading.add(socket);
    const loaded = this.#job.outputArchive.load(run, parts).then(
      (loadedParts) => {
        this.#loading.delete(socket);
        this.#sendLoaded(socket, run, loadedParts);
      },
      (error: unknown) => {
        this.#loading.delete(socket);
        log.error('archive_unreadable', error, { job: this.#job.name, run });
        // The viewer connects and subscribes again, after its usual pause.
        close(socket, 1011, 'internal');
      },
    );
    this.#job.state.waitUntil(loaded);
  }

  #sendLoaded(socket: WebSocket, run: string, parts: readonly OutputPart[]): void {
    const attachment = attachmentOf(socket);
    if (attachment.kind !== 'viewer' || attachment.follows === null) return;
    const { follows } = attachment;
    // Meanwhile it may have subscribed to something else.
    const isAwaited = follows.run === run && follows.window.sent === parts[0]?.start && !follows.behind;
    this.#pump(socket, isAwaited ? sendParts(socket, follows, parts) : follows);
    this.closeBehind();
  }
}

function partsBeforeArchive(parts: readonly StoredPart[]): OutputPart[] {
  const here: OutputPart[] = [];
  for (const part of parts) {
    if (part.kind === 'archived') break;
    here.push(part);
  }
  return here;
}

/** @returns what the viewer follows after the parts were sent */
function sendParts(socket: WebSocket, follows: Following, parts: readonly OutputPart[]): Following {
  let { window, wantedBytes } = follows;
  for (const part of parts) {
    window = sendPart(socket, follows.run, window, part);
    // A gap is sent whole and doesn't count.
    if (part.kind === 'bytes' && wantedBytes !== null) wantedBytes = Math.max(0, wantedBytes - part.bytes.length);
  }
  return { ...follows, window, wantedBytes };
}

/** @returns the window after the part was sent */
function sendPart(socket: WebSocket, run: string, window: ViewerWindow, part: OutputPart): ViewerWindow {
  switch (part.kind) {
    case 'bytes':
      sendToViewer(socket, encodeOutputFrame(part));
      return sentBytes(window, part.start + part.bytes.length);
    case 'gap':
      sendToViewer(socket, {
        type: 'gap',
        run,
        from: part.start,
        to: part.end,
        ...(part.begin < part.start && { begin: part.begin }),
      });
      return sentGap(window, part.start, part.end);
  }
}

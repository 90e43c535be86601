/** What the object does with each message of a wrapper. */
import { CLOSE_CODES } from '#protocol/close-codes';
import { decodeOutputFrame } from '#protocol/output-frame';
import { reportedEnd } from '#protocol/run-state';
import {
  type Complete,
  isOutdatedStart,
  type LeftRunning,
  type LinkError,
  readWrapperMessage,
  type Start,
  type WrapperMessage,
} from '#protocol/wrapper-link';
import { log } from '../../shared/log.ts';
import { completeRun, leftRunningEvent } from './completion.ts';
import type { Rejection } from './handshake.ts';
import type { JobContext } from './job-context.ts';
import type { IngestResult } from './output-ingest.ts';
import type { RunRecord } from './run-store.ts';
import { close, send, type WrapperAttachment } from './sockets.ts';

/** What the protocol allows for an error's message. */
const MAX_ERROR_CHARS = 1024;

const WRAPPER_OUTDATED: Rejection = {
  closeCode: CLOSE_CODES.protocol,
  error: {
    code: 'wrapper_outdated',
    message:
      'This version of leash is too old for this control plane. Update leash on this machine; the command keeps running.',
    retry: 'never',
  },
};

export class WrapperMessages {
  readonly #job: JobContext;

  constructor(job: JobContext) {
    this.#job = job;
  }

  receive(socket: WebSocket, attachment: WrapperAttachment, frame: string | ArrayBuffer): void {
    this.#job.sockets.heard(socket, attachment);
    if (typeof frame === 'string') this.#receiveText(socket, attachment, frame);
    else this.#receiveOutput(socket, attachment, frame);
  }

  #receiveText(socket: WebSocket, attachment: WrapperAttachment, frame: string): void {
    const read = readWrapperMessage(frame);
    switch (read.kind) {
      case 'message':
        if (read.message.type === 'start') this.#start(socket, attachment, read.message);
        else this.#receiveMessage(socket, attachment, read.message);
        return;
      case 'unknown_type':
        this.#refuse(socket, attachment, {
          code: 'unknown_type',
          message: `unknown message type ${JSON.stringify(read.type)}`,
          retry: null,
        });
        return;
      case 'malformed':
        if (isOutdatedStart(frame)) this.#reject(socket, attachment, WRAPPER_OUTDATED);
        else this.#refuse(socket, attachment, { code: read.code, message: read.message, retry: null });
        return;
    }
  }

  #start(socket: WebSocket, attachment: WrapperAttachment, message: Start): void {
    // It came over a socket that was closed meanwhile: a newer one may be the run's current one.
    if (socket.readyState !== WebSocket.OPEN) return;
    const rejection = this.#job.handshake.accept(socket, attachment, message, (run) =>
      this.#acknowledgeStart(socket, run),
    );
    if (rejection !== null) this.#reject(socket, attachment, rejection);
  }

  #acknowledgeStart(socket: WebSocket, run: RunRecord): void {
    const { mode, pacing } = this.#job.viewers.flow(run.id);
    const { heartbeatMs, wrapperSilenceMs, reconnectCapMs, runOutputMaxBytes } = this.#job.settings;
    send(socket, {
      type: 'ack',
      of: 'start',
      offset: run.outputEnd,
      flow: mode,
      pacing,
      heartbeat_ms: heartbeatMs,
      silence_ms: wrapperSilenceMs,
      reconnect_cap_ms: reconnectCapMs,
      output_limit_bytes: runOutputMaxBytes,
    });
  }

  #receiveMessage(
    socket: WebSocket,
    attachment: WrapperAttachment,
    message: Exclude<WrapperMessage, { type: 'start' }>,
  ): void {
    const run = this.#currentRun(socket, attachment);
    if (run === null) return;
    switch (message.type) {
      case 'gap':
        this.#acknowledge(socket, attachment, this.#job.outputIngest.appendGap(run, message));
        return;
      case 'killing':
        this.#job.killController.recordProgress(run, message);
        return;
      case 'complete':
        this.#complete(socket, attachment, run, message);
        return;
      case 'left_running':
        this.#leftRunning(socket, attachment, run, message);
        return;
      case 'usage':
        // Of the moment: whoever looks sees it, and it is stored nowhere.
        this.#job.viewers.usage(run.id, message.usage);
        return;
      case 'flushed':
        this.#job.outputFlush.answered(run, message);
        return;
      case 'alive':
        return;
    }
  }

  #receiveOutput(socket: WebSocket, attachment: WrapperAttachment, frame: ArrayBuffer): void {
    const decoded = decodeOutputFrame(frame);
    if (!decoded.ok) {
      this.#refuse(socket, attachment, { code: decoded.code, message: decoded.message, retry: null });
      return;
    }
    const run = this.#currentRun(socket, attachment);
    if (run !== null) this.#acknowledge(socket, attachment, this.#job.outputIngest.append(run, decoded.frame));
  }

  #acknowledge(socket: WebSocket, attachment: WrapperAttachment, result: IngestResult): void {
    switch (result.kind) {
      case 'stored':
        send(socket, { type: 'ack', of: 'output', offset: result.end });
        return;
      case 'refused':
        this.#refuse(socket, attachment, result.error);
        return;
    }
  }

  /** The run whose current socket this is; null, with an error sent, if there is none. */
  #currentRun(socket: WebSocket, attachment: WrapperAttachment): RunRecord | null {
    const run = attachment.generation === null ? null : this.#job.runs.get(attachment.run);
    if (run === null) {
      this.#refuse(socket, attachment, { code: 'start_expected', message: 'send `start` first', retry: null });
      return null;
    }
    // Frames of an older generation are ignored: a newer socket has repeated them.
    if (!this.#job.sockets.speaksFor(socket, run)) return null;
    return this.#job.liveness.heard(run);
  }

  #complete(socket: WebSocket, attachment: WrapperAttachment, run: RunRecord, message: Complete): void {
    if (!isConsistent(message)) {
      this.#refuse(socket, attachment, {
        code: 'bad_frame',
        message: `complete: exit code ${message.exit_code} does not match the reason ${message.reason}`,
        retry: null,
      });
      return;
    }
    let completing = run;
    for (const applied of message.applied_kills) {
      completing = this.#job.killController.recordProgress(completing, {
        ...applied,
        reason: 'operator',
        related: message.related,
      });
    }
    completeRun(this.#job, completing, message, { staysConnected: attachment.isKeeper });
    send(socket, { type: 'ack', of: 'complete' });
  }

  /** The run has ended: its state and exit code are final, whatever happens to the processes that it left running. */
  #leftRunning(
    socket: WebSocket,
    attachment: WrapperAttachment,
    run: RunRecord,
    { processes: leftRunning }: LeftRunning,
  ): void {
    if (!run.final) {
      this.#refuse(socket, attachment, {
        code: 'bad_frame',
        message: 'left_running: the run has not ended; send `complete` first',
        retry: null,
      });
      return;
    }
    const isNews = JSON.stringify(leftRunning) !== JSON.stringify(run.leftRunning);
    const connected = leftRunning.length > 0;
    if (!isNews && connected === run.connected) return;
    const events = isNews ? [leftRunningEvent(leftRunning)] : [];
    const changed = this.#job.runUpdater.update(run, { leftRunning, connected }, ...events);
    if (!connected) {
      this.#job.killController.allProcessesEnded(changed);
      return;
    }
    this.#job.liveness.connected(changed);
    if (run.connected) return;
    // The wrapper that completed the run has stayed: the kills that were not sent to it are sent now.
    this.#job.killController.runReturned(changed);
    this.#job.killController.runConnected(changed, new Set());
  }

  #reject(socket: WebSocket, attachment: WrapperAttachment, { closeCode, error }: Rejection): void {
    this.#refuse(socket, attachment, error);
    close(socket, closeCode, error.code);
  }

  #refuse(socket: WebSocket, attachment: WrapperAttachment, error: Omit<LinkError, 'type'>): void {
    log.warn('wrapper_refused', {
      job: this.#job.name,
      run: attachment.run,
      machine: attachment.machine,
      code: error.code,
      message: error.message,
    });
    // It may quote a long text, and an error that exceeds the protocol's limit could not be read.
    send(socket, { type: 'error', ...error, message: error.message.slice(0, MAX_ERROR_CHARS) });
  }
}

/** A reason that has one exit code must come with that code. */
function isConsistent({ reason, exit_code }: Complete): boolean {
  switch (reason) {
    case 'exited':
    case 'signaled':
    case 'local_signal':
    // `leash run --skip-exit-code` sets what these end with.
    case 'overlap':
    case 'brake':
    case 'maintenance':
    case 'unreachable':
      return true;
    default:
      return reportedEnd(reason, null).exitCode === exit_code;
  }
}

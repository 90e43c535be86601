/** What the object does with each message of a wrapper. */
import type { NewRunEvent } from '#protocol/api';
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
import type { Introductions, Rejection } from './introductions.ts';
import type { Journal } from './journal.ts';
import type { KillController } from './kill-controller.ts';
import type { Liveness } from './liveness.ts';
import type { Intake, OutputIntake } from './output-intake.ts';
import type { RunRecord, RunStore } from './run-store.ts';
import { changeRun } from './run-transitions.ts';
import { close, type Sockets, send, type WrapperAttachment } from './sockets.ts';

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
  readonly #job: string;
  readonly #runs: RunStore;
  readonly #journal: Journal;
  readonly #sockets: Sockets;
  readonly #introductions: Introductions;
  readonly #intake: OutputIntake;
  readonly #killController: KillController;
  readonly #liveness: Liveness;

  constructor(parts: {
    job: string;
    runs: RunStore;
    journal: Journal;
    sockets: Sockets;
    introductions: Introductions;
    intake: OutputIntake;
    killController: KillController;
    liveness: Liveness;
  }) {
    this.#job = parts.job;
    this.#runs = parts.runs;
    this.#journal = parts.journal;
    this.#sockets = parts.sockets;
    this.#introductions = parts.introductions;
    this.#intake = parts.intake;
    this.#killController = parts.killController;
    this.#liveness = parts.liveness;
  }

  receive(socket: WebSocket, attachment: WrapperAttachment, frame: string | ArrayBuffer): void {
    this.#sockets.heard(socket, attachment);
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
          message: `this control plane does not know messages of type ${JSON.stringify(read.type)}`,
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
    // Said on a socket that was given up meanwhile: a newer one may speak for the run.
    if (socket.readyState !== WebSocket.OPEN) return;
    const rejection = this.#introductions.introduce(socket, attachment, message);
    if (rejection !== null) this.#reject(socket, attachment, rejection);
  }

  #receiveMessage(
    socket: WebSocket,
    attachment: WrapperAttachment,
    message: Exclude<WrapperMessage, { type: 'start' }>,
  ): void {
    const run = this.#speaker(socket, attachment);
    if (run === null) return;
    switch (message.type) {
      case 'gap':
        this.#acknowledge(socket, attachment, this.#intake.takeGap(run, message));
        return;
      case 'killing':
        this.#killController.progress(run, message);
        return;
      case 'complete':
        this.#complete(socket, attachment, run, message);
        return;
      case 'left_running':
        this.#leftRunning(socket, attachment, run, message);
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
    const run = this.#speaker(socket, attachment);
    if (run !== null) this.#acknowledge(socket, attachment, this.#intake.take(run, decoded.frame));
  }

  #acknowledge(socket: WebSocket, attachment: WrapperAttachment, intake: Intake): void {
    switch (intake.kind) {
      case 'stored':
        send(socket, { type: 'ack', of: 'output', offset: intake.end });
        return;
      case 'refused':
        this.#refuse(socket, attachment, intake.error);
        return;
    }
  }

  /** The run this socket speaks for; null, and the wrapper told so, when it may not speak. */
  #speaker(socket: WebSocket, attachment: WrapperAttachment): RunRecord | null {
    const run = attachment.generation === null ? null : this.#runs.get(attachment.run);
    if (run === null) {
      this.#refuse(socket, attachment, { code: 'start_expected', message: 'say `start` first', retry: null });
      return null;
    }
    // Whatever still arrives from an older generation is ignored: a newer socket has repeated it.
    if (!this.#sockets.speaksFor(socket, run)) return null;
    return this.#liveness.heard(run);
  }

  #complete(socket: WebSocket, attachment: WrapperAttachment, run: RunRecord, message: Complete): void {
    if (!isConsistent(message)) {
      this.#refuse(socket, attachment, {
        code: 'bad_frame',
        message: `complete: exit code ${message.exit_code} does not go with the reason ${message.reason}`,
        retry: null,
      });
      return;
    }
    let completing = run;
    for (const applied of message.applied_kills) {
      completing = this.#killController.progress(completing, {
        ...applied,
        reason: 'operator',
        related: message.related,
      });
    }
    const change = { kind: 'ended', reason: message.reason, exitCode: message.exit_code } as const;
    const standing = changeRun(completing, change);
    if (standing !== null) {
      const leftRunning = message.left_running ?? [];
      const endedAt = Math.min(Date.now(), completing.startedAt + message.duration_ms);
      const ended = this.#journal.change(
        completing,
        {
          ...standing,
          leftRunning,
          connected: leftRunning.length > 0 && attachment.isKept,
          outOfTouchSince: null,
          suspectedSince: null,
          exitCode: message.exit_code,
          commandExitCode: message.command_exit_code,
          signal: message.signal,
          reason: message.reason,
          endedAt,
          finalOffset: Math.max(message.final_offset, completing.outputEnd),
        },
        {
          type: 'ended',
          at: new Date(endedAt).toISOString(),
          state: standing.state,
          exit_code: message.exit_code,
          reason: message.reason,
          duration_ms: message.duration_ms,
        },
        ...(leftRunning.length > 0 ? [leftRunningEvent(leftRunning)] : []),
      );
      log.info('run_ended', { job: this.#job, run: run.id, state: ended.state, exit_code: ended.exitCode });
      this.#killController.runEnded(ended);
    }
    send(socket, { type: 'ack', of: 'complete' });
  }

  /** Of a run that has ended: its state and its exit code stand, whatever becomes of what it left running. */
  #leftRunning(
    socket: WebSocket,
    attachment: WrapperAttachment,
    run: RunRecord,
    { processes: leftRunning }: LeftRunning,
  ): void {
    if (!run.final) {
      this.#refuse(socket, attachment, {
        code: 'bad_frame',
        message: 'left_running: the run has not ended, send `complete` first',
        retry: null,
      });
      return;
    }
    const isNews = JSON.stringify(leftRunning) !== JSON.stringify(run.leftRunning);
    const connected = leftRunning.length > 0;
    if (!isNews && connected === run.connected) return;
    const events = isNews ? [leftRunningEvent(leftRunning)] : [];
    const changed = this.#journal.change(run, { leftRunning, connected }, ...events);
    if (!connected) {
      this.#killController.nothingLeft(changed);
      return;
    }
    this.#liveness.connected(changed);
    if (run.connected) return;
    // Who told the end has stayed: what was not sent to it any more is sent now.
    this.#killController.runReturned(changed);
    this.#killController.runConnected(changed, new Set());
  }

  #reject(socket: WebSocket, attachment: WrapperAttachment, { closeCode, error }: Rejection): void {
    this.#refuse(socket, attachment, error);
    close(socket, closeCode, error.code);
  }

  #refuse(socket: WebSocket, attachment: WrapperAttachment, error: Omit<LinkError, 'type'>): void {
    log.warn('wrapper_refused', {
      job: this.#job,
      run: attachment.run,
      machine: attachment.machine,
      code: error.code,
      message: error.message,
    });
    // What is quoted may be long, and a message that breaks the protocol would tell nothing.
    send(socket, { type: 'error', ...error, message: error.message.slice(0, MAX_ERROR_CHARS) });
  }
}

function leftRunningEvent(processes: LeftRunning['processes']): NewRunEvent {
  return { type: 'left_running', at: new Date().toISOString(), processes: [...processes] };
}

/** A reason that stands for one exit code must come with that one. */
function isConsistent({ reason, exit_code }: Complete): boolean {
  switch (reason) {
    case 'exited':
    case 'signaled':
    case 'local_signal':
      return true;
    default:
      return reportedEnd(reason, null).exitCode === exit_code;
  }
}

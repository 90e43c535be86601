/** What the object does with each message of a wrapper. */
import type { DecodedOutputFrame, OutputFrame } from '#protocol/output-frame';
import { decodeOutputFrame } from '#protocol/output-frame';
import { EXIT_LOST, reportedEnd } from '#protocol/run-state';
import {
  CLOSE_CODES,
  type Complete,
  type Gap,
  type LinkError,
  readWrapperMessage,
  type Start,
  type WrapperMessage,
} from '#protocol/wrapper-link';
import type { Deadlines } from '../../env.ts';
import { equalDigests, sha256 } from '../../hash.ts';
import { log } from '../../log.ts';
import type { Journal } from './journal.ts';
import type { Kills } from './kills.ts';
import type { Liveness } from './liveness.ts';
import { type OutputLog, placeOutput } from './output-log.ts';
import type { RunRecord, RunStore } from './run-store.ts';
import { changeRun } from './run-transitions.ts';
import { close, type Sockets, send, type WrapperAttachment } from './sockets.ts';
import type { Viewers } from './viewers.ts';

export class WrapperMessages {
  readonly #job: string;
  readonly #settings: Deadlines;
  readonly #runs: RunStore;
  readonly #output: OutputLog;
  readonly #journal: Journal;
  readonly #sockets: Sockets;
  readonly #kills: Kills;
  readonly #liveness: Liveness;
  readonly #viewers: Viewers;

  constructor(parts: {
    job: string;
    settings: Deadlines;
    runs: RunStore;
    output: OutputLog;
    journal: Journal;
    sockets: Sockets;
    kills: Kills;
    liveness: Liveness;
    viewers: Viewers;
  }) {
    this.#job = parts.job;
    this.#settings = parts.settings;
    this.#runs = parts.runs;
    this.#output = parts.output;
    this.#journal = parts.journal;
    this.#sockets = parts.sockets;
    this.#kills = parts.kills;
    this.#liveness = parts.liveness;
    this.#viewers = parts.viewers;
  }

  receive(socket: WebSocket, attachment: WrapperAttachment, frame: string | ArrayBuffer): void {
    this.#sockets.heard(socket, attachment);
    if (typeof frame !== 'string') {
      this.#receiveOutput(socket, attachment, decodeOutputFrame(frame));
      return;
    }
    const read = readWrapperMessage(frame);
    switch (read.kind) {
      case 'message':
        this.#receiveMessage(socket, attachment, read.message);
        return;
      case 'unknown_type':
        this.#refuse(socket, attachment, {
          code: 'unknown_type',
          message: `this control plane does not know messages of type ${JSON.stringify(read.type)}`,
          retry: null,
        });
        return;
      case 'malformed':
        this.#refuse(socket, attachment, { code: read.code, message: read.message, retry: null });
        return;
    }
  }

  #receiveMessage(socket: WebSocket, attachment: WrapperAttachment, message: WrapperMessage): void {
    if (message.type === 'start') {
      this.#start(socket, attachment, message);
      return;
    }
    const run = this.#speaker(socket, attachment);
    if (run === null) return;
    switch (message.type) {
      case 'gap':
        this.#gap(socket, attachment, run, message);
        return;
      case 'killing':
        this.#kills.progress(run, message);
        return;
      case 'complete':
        this.#complete(socket, attachment, run, message);
        return;
      case 'alive':
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

  #start(socket: WebSocket, attachment: WrapperAttachment, message: Start): void {
    if (message.run !== attachment.run) {
      this.#refuse(socket, attachment, {
        code: 'run_mismatch',
        message: 'the run in `start` is not the one in the URL',
        retry: 'never',
      });
      close(socket, CLOSE_CODES.protocol, 'run_mismatch');
      return;
    }
    const keyHash = sha256(message.run_key);
    const known = this.#runs.get(message.run);
    if (known !== null && !equalDigests(known.keyHash, keyHash)) {
      this.#refuse(socket, attachment, {
        code: 'run_conflict',
        message: 'this run id belongs to a run with another key',
        retry: 'never',
      });
      close(socket, CLOSE_CODES.conflict, 'run_conflict');
      return;
    }
    const repeated = known !== null && this.#sockets.speaksFor(socket, known);
    const generation = repeated ? known.generation : (known?.generation ?? 0) + 1;
    this.#sockets.promote(socket, attachment, generation);
    const run =
      known === null
        ? this.#openRun(attachment, message, keyHash, generation)
        : this.#resumeRun(known, message, generation);
    send(socket, {
      type: 'ack',
      of: 'start',
      offset: run.outputEnd,
      flow: this.#viewers.flow(run.id),
      heartbeat_ms: this.#settings.heartbeatMs,
      silence_ms: this.#settings.wrapperSilenceMs,
      reconnect_cap_ms: this.#settings.reconnectCapMs,
    });
    this.#catchUp(run, message);
  }

  #openRun(attachment: WrapperAttachment, message: Start, keyHash: string, generation: number): RunRecord {
    const now = Date.now();
    const startedAt = now - message.age_ms;
    const run: RunRecord = {
      id: message.run,
      keyHash,
      instance: attachment.instance,
      machine: attachment.machine,
      state: 'running',
      final: false,
      connected: true,
      outOfTouchSince: null,
      generation,
      suspectedSince: null,
      exitCode: null,
      commandExitCode: null,
      signal: null,
      reason: null,
      startedAt,
      endedAt: null,
      pid: message.pid,
      command: message.command,
      wrapperVersion: message.version,
      timeoutMs: message.limits.timeout_ms,
      graceMs: message.limits.grace_ms,
      outputEnd: 0,
      finalOffset: null,
      seq: 1,
    };
    return this.#journal.open(
      run,
      { type: 'started', at: new Date(startedAt).toISOString(), machine: run.machine, pid: run.pid },
      { type: 'connected', at: new Date(now).toISOString() },
    );
  }

  /** A run that is known: the same socket again, a reconnect, or a lost one that returns. */
  #resumeRun(known: RunRecord, message: Start, generation: number): RunRecord {
    if (known.final) {
      this.#runs.patch(known.id, { generation });
      return { ...known, generation };
    }
    const at = new Date().toISOString();
    const standing = message.phase === 'running' ? changeRun(known, { kind: 'alive' }) : null;
    const link = { generation, connected: true, outOfTouchSince: null, suspectedSince: null };
    if (standing === null) {
      if (known.connected && known.generation === generation) return known;
      return this.#journal.change(known, link, { type: 'connected', at });
    }
    const returned = this.#journal.change(
      known,
      { ...link, ...standing, exitCode: null, reason: null, endedAt: null },
      { type: 'connected', at },
      { type: 'returned', at },
    );
    log.info('run_returned', { job: this.#job, run: known.id, machine: known.machine });
    this.#kills.runReturned(returned);
    return returned;
  }

  /** After the ack: what happened while the wrapper was away, and what was meant for it. */
  #catchUp(run: RunRecord, message: Start): void {
    if (run.final) return;
    let caughtUp = run;
    for (const applied of message.applied_kills) {
      caughtUp = this.#kills.progress(caughtUp, { ...applied, reason: 'operator' });
    }
    switch (message.phase) {
      // To a run that ended out of reach a kill is still sent: refused is an answer, silence is none.
      case 'running':
      case 'ended':
        this.#liveness.connected(caughtUp);
        this.#kills.runConnected(caughtUp, new Set(message.applied_kills.map(({ command }) => command)));
        return;
      case 'abandoned':
        this.#abandon(caughtUp, message.output.to);
        return;
    }
  }

  #abandon(run: RunRecord, finalOffset: number): void {
    const standing = changeRun(run, { kind: 'abandoned' });
    if (standing === null) return;
    const now = Date.now();
    const at = new Date(now).toISOString();
    const lost = this.#journal.change(
      run,
      {
        ...standing,
        connected: false,
        outOfTouchSince: null,
        exitCode: EXIT_LOST,
        reason: 'wrapper_died',
        endedAt: run.endedAt ?? now,
        finalOffset,
      },
      {
        type: 'ended',
        at,
        state: 'lost',
        exit_code: EXIT_LOST,
        reason: 'wrapper_died',
        duration_ms: (run.endedAt ?? now) - run.startedAt,
      },
    );
    this.#kills.runLost(lost);
  }

  #receiveOutput(socket: WebSocket, attachment: WrapperAttachment, decoded: DecodedOutputFrame): void {
    if (!decoded.ok) {
      this.#refuse(socket, attachment, { code: decoded.code, message: decoded.message, retry: null });
      return;
    }
    const run = this.#speaker(socket, attachment);
    if (run === null) return;
    const { frame } = decoded;
    if (this.#isPastEnd(socket, attachment, run, frame.start + frame.bytes.length)) return;
    const placement = placeOutput(run.outputEnd, frame.start, frame.bytes.length);
    switch (placement.kind) {
      case 'gap':
        this.#refuseGap(socket, attachment, run);
        return;
      case 'duplicate':
        break;
      case 'append':
        this.#appendOutput(run, {
          stream: frame.stream,
          start: run.outputEnd,
          bytes: frame.bytes.subarray(placement.skip),
        });
        break;
    }
    send(socket, { type: 'ack', of: 'output', offset: Math.max(run.outputEnd, frame.start + frame.bytes.length) });
  }

  #appendOutput(run: RunRecord, frame: OutputFrame): void {
    this.#output.append(run.id, frame);
    this.#advance(run, frame.start + frame.bytes.length);
  }

  #gap(socket: WebSocket, attachment: WrapperAttachment, run: RunRecord, { from, to }: Gap): void {
    if (to <= from) {
      this.#refuse(socket, attachment, { code: 'bad_offset', message: 'a gap ends after it starts', retry: null });
      return;
    }
    if (this.#isPastEnd(socket, attachment, run, to)) return;
    const placement = placeOutput(run.outputEnd, from, to - from);
    if (placement.kind === 'gap') {
      this.#refuseGap(socket, attachment, run);
      return;
    }
    if (placement.kind === 'append') {
      this.#output.appendLost(run.id, run.outputEnd, to);
      this.#journal.tell(run, { type: 'output_gap', at: new Date().toISOString(), from: run.outputEnd, to });
      this.#advance(run, to);
    }
    send(socket, { type: 'ack', of: 'output', offset: Math.max(run.outputEnd, to) });
  }

  #advance(run: RunRecord, outputEnd: number): void {
    this.#runs.patch(run.id, { outputEnd });
    this.#viewers.output(run.id);
    // Output that trails the completion: with its last byte the lists learn the true size.
    if (run.final && outputEnd === run.finalOffset) this.#journal.change(run, { outputEnd });
  }

  #isPastEnd(socket: WebSocket, attachment: WrapperAttachment, run: RunRecord, end: number): boolean {
    if (run.finalOffset === null || end <= run.finalOffset) return false;
    this.#refuse(socket, attachment, {
      code: 'bad_offset',
      message: `the run has ended with its output at ${run.finalOffset}`,
      retry: null,
    });
    return true;
  }

  #refuseGap(socket: WebSocket, attachment: WrapperAttachment, run: RunRecord): void {
    this.#refuse(socket, attachment, {
      code: 'gap',
      message: `output is stored up to ${run.outputEnd}: continue from there`,
      retry: null,
      expected: run.outputEnd,
    });
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
      completing = this.#kills.progress(completing, { ...applied, reason: 'operator' });
    }
    const change = { kind: 'ended', reason: message.reason, exitCode: message.exit_code } as const;
    const standing = changeRun(completing, change);
    if (standing !== null) {
      const endedAt = Math.min(Date.now(), completing.startedAt + message.duration_ms);
      const ended = this.#journal.change(
        completing,
        {
          ...standing,
          connected: false,
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
      );
      log.info('run_ended', { job: this.#job, run: run.id, state: ended.state, exit_code: ended.exitCode });
      this.#kills.runEnded(ended);
    }
    send(socket, { type: 'ack', of: 'complete' });
  }

  #refuse(socket: WebSocket, attachment: WrapperAttachment, error: Omit<LinkError, 'type'>): void {
    log.warn('wrapper_refused', {
      job: this.#job,
      run: attachment.run,
      machine: attachment.machine,
      code: error.code,
      message: error.message,
    });
    send(socket, { type: 'error', ...error });
  }
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

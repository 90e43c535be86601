/**
 * What the object does with each frame of a Saltpeter wrapper: it says it in the words of `leash.v1` to the parts that
 * also serve Leash's own wrapper. All that is kept besides is which frame of output comes next.
 */
import { randomBytes } from 'node:crypto';
import { ulid } from 'ulid';
import { toValidName } from '#protocol/names';
import { MAX_OUTPUT_PAYLOAD_BYTES } from '#protocol/output-frame';
import {
  areSameNames,
  encodeSaltpeterReply,
  readNote,
  readSaltpeterMessage,
  type SaltpeterComplete,
  type SaltpeterMessage,
  type SaltpeterNames,
  type SaltpeterOutput,
  type SaltpeterReply,
  type SaltpeterSyncRequest,
} from '#protocol/saltpeter-link';
import { SALTPETER_KILL } from '#protocol/wrapper-kind';
import type { Start } from '#protocol/wrapper-link';
import { log } from '../../../shared/log.ts';
import type { SaltpeterOpening } from '../../../shared/rpc/saltpeter-opening.ts';
import { completeRun } from '../completion.ts';
import type { JobContext } from '../job-context.ts';
import type { RunRecord } from '../run-store.ts';
import { close, type WrapperAttachment } from '../sockets.ts';
import { endOf } from './end-of-run.ts';
import type { SaltpeterRun } from './saltpeter-runs.ts';

/** The wrapper connects again, and repeats what was not acked. */
const TRY_AGAIN = 1012;

export class SaltpeterMessages {
  readonly #job: JobContext;

  constructor(job: JobContext) {
    this.#job = job;
  }

  /** Accepts a connection. The first frame, which the Worker has read, follows on it. */
  accept(
    socket: WebSocket,
    { names, pid }: SaltpeterOpening,
    by: Pick<WrapperAttachment, 'credential' | 'orders'>,
  ): void {
    const place = { instance: toValidName(names.job_instance), machine: toValidName(names.machine) };
    const known = this.#job.storage.isUninitialized ? null : this.#job.saltpeterRuns.newest(place);
    const run = known !== null && this.#isSameRun(known, pid) ? known.run : ulid();
    this.#job.sockets.acceptWrapper(socket, { run, ...place, saltpeter: names, ...by });
  }

  receive(socket: WebSocket, attachment: WrapperAttachment, names: SaltpeterNames, frame: string | ArrayBuffer): void {
    this.#job.sockets.heard(socket, attachment);
    const read = typeof frame === 'string' ? readSaltpeterMessage(frame) : NOT_TEXT;
    switch (read.kind) {
      case 'message':
        if (areSameNames(read.message, names)) this.#receiveMessage(socket, attachment, read.message);
        else
          this.#refuse(socket, attachment, 'WRONG_RUN', 'a connection carries one run: this frame names another one');
        return;
      case 'unknown_type':
        log.warn('saltpeter_refused', { job: this.#job.name, run: attachment.run, code: 'unknown_type' });
        return;
      case 'malformed':
        this.#refuse(socket, attachment, read.code.toUpperCase(), read.message);
        return;
    }
  }

  #receiveMessage(socket: WebSocket, attachment: WrapperAttachment, message: SaltpeterMessage): void {
    if (message.type === 'connect') {
      reply(socket, { type: 'ack', ack_type: 'connect' });
      return;
    }
    const isFirst = attachment.generation === null;
    if ((isFirst || message.type === 'start') && !this.#startLink(socket, attachment, message)) return;
    const current = this.#currentRun(socket, attachment.run);
    if (current === null) return;
    const { run, progress } = current;
    switch (message.type) {
      case 'start':
      case 'heartbeat':
        return;
      case 'output':
        this.#output(socket, run, progress, message);
        return;
      case 'sync_request':
        this.#sync(socket, progress, message);
        return;
      case 'complete':
        this.#complete(socket, run, progress, message);
        return;
    }
  }

  /** The first frame of a connection, or `start`: opens or resumes its run. @returns whether the run is this socket's */
  #startLink(socket: WebSocket, attachment: WrapperAttachment, message: SaltpeterMessage): boolean {
    // It came over a socket that was closed meanwhile: a newer one may be the run's current one.
    if (socket.readyState !== WebSocket.OPEN) return false;
    const stored = this.#job.saltpeterRuns.get(attachment.run);
    const newest = stored ?? this.#job.saltpeterRuns.newest(attachment);
    const pid = message.type === 'start' ? message.pid : null;
    if (stored === null && newest !== null && this.#isSameRun(newest, pid)) {
      // Two connections of one new run: this one was accepted before the other had stored the run.
      close(socket, TRY_AGAIN, 'connect again');
      return false;
    }
    const progress = stored ?? this.#newRun(attachment, message);
    const acknowledge = () => {
      if (message.type === 'start') reply(socket, { type: 'ack', ack_type: 'start' });
    };
    const rejection = this.#job.handshake.accept(socket, attachment, startOf(message, progress), acknowledge);
    if (rejection === null) return true;
    this.#refuse(socket, attachment, rejection.error.code.toUpperCase(), rejection.error.message);
    close(socket, rejection.closeCode, rejection.error.code);
    return false;
  }

  #newRun({ run, instance, machine }: WrapperAttachment, message: SaltpeterMessage): SaltpeterRun {
    const progress = {
      instance,
      machine,
      run,
      runKey: randomBytes(16).toString('hex'),
      nextSeq: message.type === 'start' ? 0 : null,
      note: null,
    };
    this.#job.saltpeterRuns.insert(progress);
    return progress;
  }

  /** Whether a frame is of the known run of these names, or of another one that has them, too. */
  #isSameRun({ run }: SaltpeterRun, pid: number | null): boolean {
    const known = this.#job.runs.get(run);
    return known !== null && (pid === null || known.pid === null || known.pid === pid);
  }

  /** The run whose current socket this is; null, and the frame is ignored, if a newer socket has repeated it. */
  #currentRun(socket: WebSocket, id: string): { run: RunRecord; progress: SaltpeterRun } | null {
    const run = this.#job.runs.get(id);
    const progress = this.#job.saltpeterRuns.get(id);
    if (run === null || progress === null || !this.#job.sockets.speaksFor(socket, run)) return null;
    return { run: this.#job.liveness.heard(run), progress };
  }

  #output(socket: WebSocket, run: RunRecord, progress: SaltpeterRun, message: SaltpeterOutput): void {
    const { seq } = message;
    const expected = progress.nextSeq ?? seq;
    if (seq > expected) {
      reply(socket, { type: 'nack', nack_type: 'out_of_order', expected_seq: expected, received_seq: seq });
      return;
    }
    if (seq === expected && !run.final) {
      this.#append(run.id, message);
      this.#job.saltpeterRuns.advance(progress, seq + 1, readNote(message) ?? progress.note);
    }
    // A repeated frame, too; and one after the end, which no wrapper sends.
    reply(socket, { type: 'ack', ack_type: 'output', seq });
  }

  #append(id: string, { stream, data }: SaltpeterOutput): void {
    const bytes = new TextEncoder().encode(data);
    for (let from = 0; from < bytes.length; from += MAX_OUTPUT_PAYLOAD_BYTES) {
      const run = this.#job.runs.get(id);
      if (run === null) throw new Error(`run ${id} is gone`);
      const part = bytes.subarray(from, from + MAX_OUTPUT_PAYLOAD_BYTES);
      const result = this.#job.outputIngest.append(run, { stream, start: run.outputEnd, bytes: part });
      if (result.kind === 'refused') throw new Error(`output of run ${id}: ${result.error.message}`);
    }
  }

  /** The wrapper has waited for an ack: what it was for is either stored, or has not arrived on this connection. */
  #sync(
    socket: WebSocket,
    progress: SaltpeterRun,
    { last_acked_seq: lastAcked, next_seq: next }: SaltpeterSyncRequest,
  ) {
    const nextSeq = progress.nextSeq ?? lastAcked + 1;
    if (progress.nextSeq === null) this.#job.saltpeterRuns.advance(progress, nextSeq, progress.note);
    if (nextSeq > 0) reply(socket, { type: 'sync_response', last_seq: nextSeq - 1 });
    // -1 would mean that the run is unknown, and the wrapper would drop what it has. On a new connection it repeats that.
    else if (next > 0) close(socket, TRY_AGAIN, 'connect again, and repeat the output');
  }

  #complete(socket: WebSocket, run: RunRecord, progress: SaltpeterRun, message: SaltpeterComplete): void {
    const missing = progress.nextSeq === null ? 0 : (message.seq ?? 0) - progress.nextSeq;
    if (missing > 0) log.warn('saltpeter_output_missing', { job: this.#job.name, run: run.id, frames: missing });
    const hadKill = this.#job.kills.targetsAt(run.id).some(({ sends, state }) => sends > 0 && state !== 'refused');
    const end = endOf(message.retcode, progress.note, hadKill);
    completeRun(
      this.#job,
      run,
      { ...end, duration_ms: Math.max(0, Date.now() - run.startedAt), final_offset: run.outputEnd },
      { staysConnected: false },
    );
    reply(socket, { type: 'ack', ack_type: 'complete' });
  }

  #refuse(socket: WebSocket, { run, machine }: WrapperAttachment, code: string, message: string): void {
    log.warn('saltpeter_refused', { job: this.#job.name, run, machine, code, message });
    reply(socket, { type: 'error', code, message });
  }
}

const NOT_TEXT = { kind: 'malformed', code: 'bad_frame', message: 'a frame must be text' } as const;

/** A `start` of `leash.v1` from what this frame says of its run. */
function startOf(message: SaltpeterMessage, { run, runKey }: SaltpeterRun): Start {
  const { pid, version } = message.type === 'start' ? message : { pid: null, version: 'unknown' };
  return {
    type: 'start',
    run,
    run_key: runKey,
    phase: message.type === 'complete' ? 'ended' : 'running',
    pid,
    command_line: '',
    // Its clock may be wrong: the run starts when it is first heard of.
    age_ms: 0,
    version,
    limits: { timeout_ms: null, grace_ms: SALTPETER_KILL.graceMs, signal: SALTPETER_KILL.signal },
    output: { from: 0, to: 0 },
    applied_kills: [],
  };
}

function reply(socket: WebSocket, message: SaltpeterReply): void {
  if (socket.readyState === WebSocket.OPEN) socket.send(encodeSaltpeterReply(message, new Date()));
}

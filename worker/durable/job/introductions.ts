/** A wrapper says `start`: which run it speaks for, what that run has become, and what it has to catch up on. */
import type { NewRunEvent } from '#protocol/api';
import { CLOSE_CODES } from '#protocol/close-codes';
import { DEFAULT_KILL_SIGNAL } from '#protocol/kill';
import { EXIT_LOST } from '#protocol/run-state';
import type { LinkError, Start } from '#protocol/wrapper-link';
import { equalDigests, sha256 } from '../../shared/hash.ts';
import { log } from '../../shared/log.ts';
import { daysInMs, type Settings } from '../../shared/settings.ts';
import type { Journal } from './journal.ts';
import type { KillController } from './kill-controller.ts';
import type { Liveness } from './liveness.ts';
import { hasLeftProcesses, type RunRecord, type RunStore } from './run-store.ts';
import { changeRun } from './run-transitions.ts';
import { type Sockets, send, type WrapperAttachment } from './sockets.ts';
import type { Viewers } from './viewers.ts';

/** A wrapper that must not come back with this run. */
export interface Rejection {
  readonly closeCode: number;
  readonly error: Omit<LinkError, 'type'>;
}

export class Introductions {
  readonly #job: string;
  readonly #settings: Settings;
  readonly #runs: RunStore;
  readonly #journal: Journal;
  readonly #sockets: Sockets;
  readonly #killController: KillController;
  readonly #liveness: Liveness;
  readonly #viewers: Viewers;

  constructor(parts: {
    job: string;
    settings: Settings;
    runs: RunStore;
    journal: Journal;
    sockets: Sockets;
    killController: KillController;
    liveness: Liveness;
    viewers: Viewers;
  }) {
    this.#job = parts.job;
    this.#settings = parts.settings;
    this.#runs = parts.runs;
    this.#journal = parts.journal;
    this.#sockets = parts.sockets;
    this.#killController = parts.killController;
    this.#liveness = parts.liveness;
    this.#viewers = parts.viewers;
  }

  /** Makes the socket the one that speaks for its run, or says why it may not. Idempotent. */
  introduce(socket: WebSocket, attachment: WrapperAttachment, message: Start): Rejection | null {
    const keyHash = sha256(message.run_key);
    const known = this.#runs.get(message.run);
    const rejection = reject(attachment, message, known, keyHash);
    if (rejection !== null) return rejection;
    const repeated = known !== null && this.#sockets.speaksFor(socket, known);
    const generation = repeated ? known.generation : (known?.generation ?? 0) + 1;
    this.#sockets.promote(socket, attachment, generation, message.phase === 'ended');
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
      output_limit_bytes: this.#settings.runOutputMaxBytes,
    });
    this.#catchUp(run, message);
    return null;
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
      commandLine: message.command_line,
      wrapperVersion: message.version,
      successor: message.successor ?? 0,
      host: message.host ?? null,
      leftRunning: [],
      timeoutMs: message.limits.timeout_ms,
      graceMs: message.limits.grace_ms,
      killSignal: message.limits.signal ?? DEFAULT_KILL_SIGNAL,
      outputEnd: 0,
      finalOffset: null,
      headEnd: null,
      outputSize: 0,
      trimmedFor: null,
      seq: this.#firstSeq(message.age_ms, now),
    };
    return this.#journal.open(
      run,
      { type: 'started', at: new Date(startedAt).toISOString(), machine: run.machine, pid: run.pid },
      { type: 'connected', at: new Date(now).toISOString() },
      ...adoption({ successor: 0 }, message, new Date(now).toISOString()),
    );
  }

  /**
   * A run this old may have been here before, and been forgotten by days. D1 and the pages keep the higher `seq`, so that
   * of its new record must be higher than any it had: no run changes a thousand times a second for all its life.
   */
  #firstSeq(ageMs: number, now: number): number {
    return ageMs >= daysInMs(this.#settings.runDays) ? now : 1;
  }

  /** A run that is known: the same socket again, a reconnect, or a lost one that returns. */
  #resumeRun(known: RunRecord, message: Start, generation: number): RunRecord {
    if (known.final) return this.#relinkEnded(known, message, generation);
    const at = new Date().toISOString();
    const standing = message.phase === 'running' ? changeRun(known, { kind: 'alive' }) : null;
    const adopted = adoption(known, message, at);
    const link = {
      generation,
      connected: true,
      outOfTouchSince: null,
      suspectedSince: null,
      // When it was here last, this object may have been too old to note it.
      killSignal: message.limits.signal ?? known.killSignal,
      ...(adopted.length > 0 && wrapperOf(known, message)),
    };
    if (standing === null) {
      if (known.connected && known.generation === generation) return this.#liveness.heard(known);
      return this.#journal.change(known, link, { type: 'connected', at }, ...adopted);
    }
    const returned = this.#journal.change(
      known,
      { ...link, ...standing, exitCode: null, reason: null, endedAt: null },
      { type: 'connected', at },
      ...adopted,
      { type: 'returned', at },
    );
    log.info('run_returned', { job: this.#job, run: known.id, machine: known.machine });
    this.#killController.runReturned(returned);
    return returned;
  }

  /** A run that is over for good: it counts as connected only while something of it still runs, which can be ended. */
  #relinkEnded(known: RunRecord, message: Start, generation: number): RunRecord {
    if (!isKept(known, message) || known.connected) {
      this.#runs.patch(known.id, { generation });
      return { ...known, generation };
    }
    const linked = this.#journal.change(known, { generation, connected: true });
    this.#killController.runReturned(linked);
    return linked;
  }

  /** After the ack: what happened while the wrapper was away, and what was meant for it. */
  #catchUp(run: RunRecord, message: Start): void {
    if (run.final && !isKept(run, message)) return;
    let caughtUp = run;
    for (const applied of message.applied_kills) {
      caughtUp = this.#killController.progress(caughtUp, { ...applied, reason: 'operator', related: message.related });
    }
    switch (message.phase) {
      // To a run that ended out of reach a kill is still sent: refused is an answer, silence is none.
      case 'running':
      case 'ended':
        this.#liveness.connected(caughtUp);
        this.#killController.runConnected(caughtUp, new Set(message.applied_kills.map(({ kill }) => kill)));
        return;
      case 'abandoned':
        this.#abandon(caughtUp, Math.max(message.output.to, caughtUp.outputEnd));
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
    this.#killController.runLost(lost);
  }
}

/** Whether who says `start` keeps the link of a run that has ended, for what still runs of it. */
function isKept(run: RunRecord, { phase }: Start): boolean {
  return run.final && phase === 'ended' && hasLeftProcesses(run);
}

/** The event of a takeover: none when the same wrapper is back. What only uploads has taken nothing over. */
function adoption(known: Pick<RunRecord, 'successor'>, { successor = 0, phase }: Start, at: string): NewRunEvent[] {
  return successor > known.successor && phase !== 'abandoned' ? [{ type: 'adopted', at, successor }] : [];
}

/** What of a run goes with its wrapper: the successor may be of another version. */
function wrapperOf(known: RunRecord, { successor = 0, version, host }: Start) {
  return { successor, wrapperVersion: version, host: host ?? known.host };
}

function reject(
  attachment: WrapperAttachment,
  message: Start,
  known: RunRecord | null,
  keyHash: string,
): Rejection | null {
  if (message.run !== attachment.run) {
    return {
      closeCode: CLOSE_CODES.protocol,
      error: { code: 'run_mismatch', message: 'the run in `start` is not the one in the URL', retry: 'never' },
    };
  }
  if (known !== null && !equalDigests(known.keyHash, keyHash)) {
    return {
      closeCode: CLOSE_CODES.conflict,
      error: { code: 'run_conflict', message: 'this run id belongs to a run with another key', retry: 'never' },
    };
  }
  return null;
}

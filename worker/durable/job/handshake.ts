/** A wrapper sends `start`: decides which run it speaks for, updates that run, and sends what the wrapper missed. */
import type { Question } from '#protocol/admission';
import type { NewRunEvent } from '#protocol/api';
import type { StandingOrder } from '#protocol/brakes';
import { CLOSE_CODES } from '#protocol/close-codes';
import { DEFAULT_KILL_SIGNAL } from '#protocol/kill';
import { EXIT_LOST } from '#protocol/run-state';
import type { LinkError, Start } from '#protocol/wrapper-link';
import { equalDigests, sha256 } from '../../shared/hash.ts';
import { log } from '../../shared/log.ts';
import { daysInMs } from '../../shared/settings.ts';
import { beginning, hasNotBegun } from './admission/beginning.ts';
import { holdsLock } from './admission/decide.ts';
import type { JobContext } from './job-context.ts';
import { hasLeftProcesses, type RunRecord } from './run-store.ts';
import { changeRun, type RunStatus } from './run-transitions.ts';
import type { NewRun } from './run-updater.ts';
import type { WrapperAttachment } from './sockets.ts';

/** The wrapper must not connect for this run again. */
export interface Rejection {
  readonly closeCode: number;
  readonly error: Omit<LinkError, 'type'>;
}

/** What is known of a run only later. */
const NOTHING_YET = {
  exitCode: null,
  commandExitCode: null,
  signal: null,
  reason: null,
  endedAt: null,
  usage: null,
  slowSince: null,
  returnedAt: null,
} as const satisfies Partial<NewRun>;

export class Handshake {
  readonly #job: JobContext;

  constructor(job: JobContext) {
    this.#job = job;
  }

  /**
   * Makes the socket the run's current one, or returns why not. Idempotent.
   *
   * @param acknowledge is called when that is stored, before any kill is sent
   */
  accept(
    socket: WebSocket,
    attachment: WrapperAttachment,
    message: Start,
    acknowledge: (run: RunRecord) => void,
  ): Rejection | null {
    const keyHash = sha256(message.run_key);
    const known = this.#job.runs.get(message.run);
    const rejection = reject(attachment, message, known, keyHash);
    if (rejection !== null) return rejection;
    this.#job.liveness.watchSilence();
    const repeated = known !== null && this.#job.sockets.speaksFor(socket, known);
    const generation = repeated ? known.generation : (known?.generation ?? 0) + 1;
    this.#job.sockets.promote(socket, attachment, {
      generation,
      isKeeper: message.phase === 'ended',
      answersFlush: message.answers_flush ?? false,
    });
    const run =
      known === null
        ? this.#openRun(attachment, message, keyHash, generation)
        : this.#resumeRun(known, message, generation);
    acknowledge(run);
    this.#catchUp(run, message);
    this.#admit(known, message);
    if (message.phase === 'running') this.#brake(message.run, attachment.orders ?? []);
    return null;
  }

  #openRun(attachment: WrapperAttachment, message: Start, keyHash: string, generation: number): RunRecord {
    const run = this.#newRun(attachment, message, keyHash, generation);
    const inserted = this.#job.runUpdater.insert(...this.#firstChanges(run, message));
    // That it asks shows that it has fired.
    this.#job.expectations.runStarted(inserted, message.expected);
    return inserted;
  }

  /** The new run with what it is told at once if it asks, and what happens to it by that. */
  #firstChanges(run: NewRun, message: Start): [run: NewRun, ...events: NewRunEvent[]] {
    const at = new Date(run.startedAt).toISOString();
    const connected: NewRunEvent = { type: 'connected', at: new Date().toISOString() };
    if (run.state !== 'waiting' || run.question === null) {
      const started: NewRunEvent = { type: 'started', at, machine: run.machine, pid: run.pid };
      return [run, started, connected, ...adoptedEvents({ successor: 0 }, message, connected.at)];
    }
    const { changes, events } = this.#job.admission.judgeNew(run, run.question);
    const { overlap, scope } = run.question;
    return [{ ...run, ...changes }, { type: 'asked', at, overlap, scope }, connected, ...events];
  }

  #newRun(attachment: WrapperAttachment, message: Start, keyHash: string, generation: number): NewRun {
    const now = Date.now();
    const startedAt = now - message.age_ms;
    return {
      ...NOTHING_YET,
      id: message.run,
      keyHash,
      instance: attachment.instance,
      machine: attachment.machine,
      state: hasNotBegun(message) ? 'waiting' : 'running',
      final: false,
      connected: true,
      disconnectedSince: null,
      generation,
      suspectedSince: null,
      startedAt,
      pid: message.pid,
      commandLine: message.command_line,
      wrapper: attachment.saltpeter === undefined ? 'leash' : 'saltpeter',
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
      archivedTo: null,
      outputSize: 0,
      trimmedFor: null,
      about: message.about ?? null,
      question: message.question ?? (message.phase === 'waiting' ? DEFAULT_QUESTION : null),
      askedAt: hasNotBegun(message) ? startedAt : null,
      fence: null,
      refusal: null,
      blockedBy: [],
      seq: this.#firstSeq(message.age_ms, now),
    };
  }

  /**
   * A run this old may have been stored before and removed by retention. D1 and dashboards keep the version with the
   * higher `seq`, so that of the new record must exceed any it had: no run changes 1,000 times a second all its life.
   */
  #firstSeq(ageMs: number, now: number): number {
    return ageMs >= daysInMs(this.#job.settings.runDays) ? now : 1;
  }

  /** A known run: the same socket again, a reconnect, or a lost run that returns. */
  #resumeRun(stored: RunRecord, message: Start, generation: number): RunRecord {
    if (stored.final) return this.#relinkEnded(stored, message, generation);
    const isSameLink = stored.connected && stored.generation === generation;
    const known = isSameLink ? this.#job.liveness.heard(stored) : stored;
    const now = Date.now();
    const at = new Date(now).toISOString();
    const status = returnedStatus(known, message);
    const begun = beginning(known, message, now);
    const adopted = adoptedEvents(known, message, at);
    const link = {
      generation,
      connected: true,
      disconnectedSince: null,
      suspectedSince: null,
      // An older version of this object may not have stored it.
      killSignal: message.limits.signal ?? known.killSignal,
      ...(adopted.length > 0 && wrapperFields(known, message)),
      ...begun?.changes,
    };
    const events: NewRunEvent[] = [...(isSameLink ? [] : [{ type: 'connected', at } as const]), ...adopted];
    if (begun !== null) events.push(begun.event);
    if (status === null) {
      if (isSameLink && begun === null) return known;
      return this.#job.runUpdater.update(known, link, ...events);
    }
    if (known.state === 'waiting') return this.#job.runUpdater.update(known, { ...link, ...status }, ...events);
    const returned = this.#job.runUpdater.update(
      known,
      {
        ...link,
        ...status,
        exitCode: null,
        reason: null,
        endedAt: null,
        returnedAt: Date.now(),
        // It was in nobody's way while it was lost: it has to be told again.
        ...(status.state === 'waiting' && { fence: null }),
      },
      ...events,
      { type: 'returned', at },
    );
    log.info('run_returned', { job: this.#job.name, run: known.id, machine: known.machine });
    this.#job.killController.runReturned(returned);
    return returned;
  }

  /** A run whose end is final counts as connected only as long as processes of it still run. */
  #relinkEnded(known: RunRecord, message: Start, generation: number): RunRecord {
    if (!isKeeper(known, message) || known.connected) {
      this.#job.runs.patch(known.id, { generation });
      return { ...known, generation };
    }
    const linked = this.#job.runUpdater.update(known, { generation, connected: true });
    this.#job.killController.runReturned(linked);
    return linked;
  }

  /** After the ack: applies what happened while the wrapper was disconnected, and sends the kills for it. */
  #catchUp(run: RunRecord, message: Start): void {
    if (run.final && !isKeeper(run, message)) return;
    let caughtUp = run;
    for (const applied of message.applied_kills) {
      caughtUp = this.#job.killController.recordProgress(caughtUp, {
        ...applied,
        reason: 'operator',
        related: message.related,
      });
    }
    switch (message.phase) {
      // A kill is sent even to a run that ended while it was disconnected: the wrapper answers `refused`.
      case 'waiting':
      case 'running':
      case 'ended':
        this.#job.liveness.connected(caughtUp);
        this.#job.killController.runConnected(caughtUp, new Set(message.applied_kills.map(({ kill }) => kill)));
        return;
      case 'abandoned':
        this.#abandon(caughtUp, Math.max(message.output.to, caughtUp.outputEnd));
        return;
    }
  }

  /** The run asks, or has started: other runs may be in its way, or it in theirs. */
  #admit(known: RunRecord | null, { run: id, phase }: Start): void {
    const run = this.#job.runs.get(id);
    if (run === null || run.final) return;
    const { admission } = this.#job;
    admission.stored(run);
    if (phase === 'waiting') admission.asked(run);
    else if (phase === 'running' && (known === null || !isUnderway(known)) && isUnderway(run)) {
      if (known?.state === 'lost') admission.returned(run);
      else admission.started(run);
    }
  }

  /** After the kills that wait for it: one of them may be this brake's. */
  #brake(id: string, orders: readonly StandingOrder[]): void {
    const run = this.#job.runs.get(id);
    if (run !== null) this.#job.brakes.runConnected(run, orders);
  }

  #abandon(run: RunRecord, finalOffset: number): void {
    const status = changeRun(run, { kind: 'abandoned' });
    if (status === null) return;
    const now = Date.now();
    const at = new Date(now).toISOString();
    const lost = this.#job.runUpdater.update(
      run,
      {
        ...status,
        connected: false,
        disconnectedSince: null,
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
    this.#job.killController.runLost(lost);
    this.#job.admission.left(lost);
  }
}

/** What a wrapper asks that does not say: only operators may keep it from starting. */
const DEFAULT_QUESTION: Question = { overlap: 'allow', scope: 'job' };

/** Whether the command runs, as far as is known. */
function isUnderway(run: RunRecord): boolean {
  return run.state !== 'waiting' && holdsLock(run);
}

/** The status that a wrapper brings back by being there; null: the run has it already. */
function returnedStatus(known: RunRecord, { phase }: Start): RunStatus | null {
  if (phase === 'running') return changeRun(known, { kind: 'alive' });
  return phase === 'waiting' ? changeRun(known, { kind: 'asking' }) : null;
}

/** Whether the wrapper that sends `start` is the keeper of an ended run: it stays for the processes that still run. */
function isKeeper(run: RunRecord, { phase }: Start): boolean {
  return run.final && phase === 'ended' && hasLeftProcesses(run);
}

/** The event of a takeover; none if the wrapper is the same, or only uploads the output of a dead one. */
function adoptedEvents(
  known: Pick<RunRecord, 'successor'>,
  { successor = 0, phase }: Start,
  at: string,
): NewRunEvent[] {
  return successor > known.successor && phase !== 'abandoned' ? [{ type: 'adopted', at, successor }] : [];
}

/** The fields of a run that belong to its wrapper: the successor may have another version. */
function wrapperFields(known: RunRecord, { successor = 0, version, host }: Start) {
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
      error: { code: 'run_mismatch', message: '`start` names another run than the URL', retry: 'never' },
    };
  }
  if (known !== null && !equalDigests(known.keyHash, keyHash)) {
    return {
      closeCode: CLOSE_CODES.conflict,
      error: { code: 'run_conflict', message: 'the run with this id has another key', retry: 'never' },
    };
  }
  return null;
}

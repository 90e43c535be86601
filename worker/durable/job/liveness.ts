/**
 * Whether a run is still alive: silent, suspected, probed, and only then declared lost.
 *
 * The object may itself have been down, moved or evicted. So a run that is disconnected is declared lost only by an
 * instance of the object that was in memory, and reachable, for the whole deadline; a new instance starts the deadline
 * again. The object therefore stays in memory while a deadline is pending, except at first, when most wrappers return.
 */
import { CLOSE_CODES } from '#protocol/close-codes';
import { EXIT_LOST, isLive } from '#protocol/run-state';
import { log } from '../../shared/log.ts';
import type { Deadline } from './alarm-scheduler.ts';
import type { JobContext } from './job-context.ts';
import type { RunRecord } from './run-store.ts';
import { changeRun } from './run-transitions.ts';
import { close, sendToWrapper } from './sockets.ts';

/** Silent runs are looked for at most this often. */
const MIN_CHECK_MS = 250;
/** An alarm may fire this much after its time. */
const ALARM_DELAY_MS = 1_000;

export class Liveness {
  readonly #job: JobContext;
  #keepAliveTimer: ReturnType<typeof setTimeout> | undefined;
  #keepAliveUntil = 0;

  constructor(job: JobContext) {
    this.#job = job;
  }

  /**
   * Called when the object is constructed, which is also how it wakes from hibernation.
   *
   * A run that is stored as connected and has no socket lost it while the object was not running: its deadline starts
   * now. A deadline that was pending starts again, whether the object was down or slept: only an instance that was in
   * memory for all of it may decide.
   */
  reconcile(): void {
    for (const run of this.#linkable()) {
      if (run.connected && this.#job.sockets.current(run) === null) this.linkClosed(run, 'control_plane_away');
    }
    this.setDeadlines();
    this.stayUntilDecided();
  }

  /** Sets the deadlines of all runs that have none. */
  setDeadlines(): void {
    const runs = this.#linkable();
    for (const run of runs) {
      if (!run.connected && isLive(run.state) && !this.#job.deadlines.has('disconnect', run.id)) this.#awaitReturn(run);
    }
    if (this.#job.deadlines.has('silence', '')) return;
    const nextCheck = this.#nextCheck(runs, Date.now());
    if (nextCheck !== null) this.#job.deadlines.arm('silence', '', nextCheck);
  }

  /** The run's wrapper sent `start`. */
  connected(run: RunRecord): void {
    this.#job.deadlines.cancel('disconnect', run.id);
    this.#job.deadlines.cancel('probe', run.id);
    this.#allowEvictionIfDone();
    this.watchSilence();
  }

  /** The runs that may be connected: not ended, or with processes left running. */
  #linkable(): RunRecord[] {
    return [...this.#job.runs.open(), ...this.#job.runs.withLeftProcesses()];
  }

  /** The run's current socket is closed. */
  linkClosed(run: RunRecord, cause: 'closed' | 'control_plane_away' = 'closed'): void {
    this.#job.deadlines.cancel('probe', run.id);
    this.#job.deadlines.cancel('kill_answer', run.id);
    if (run.final) {
      // Its end is known: only the processes that it left running are disconnected.
      this.#job.killController.endedRunDisconnected(this.#job.runUpdater.update(run, { connected: false }));
      return;
    }
    if (isLive(run.state)) this.#awaitReturn(run);
    else this.#allowEvictionIfDone();
    const now = Date.now();
    this.#job.runUpdater.update(
      run,
      { connected: false, disconnectedSince: now, suspectedSince: null },
      { type: 'disconnected', at: new Date(now).toISOString(), cause },
    );
  }

  /** Closes a link that does not answer, so that the wrapper connects again. */
  dropLink(run: RunRecord): void {
    const socket = this.#job.sockets.current(run);
    if (socket !== null) close(socket, CLOSE_CODES.unresponsive, 'no answer; reconnect');
    this.linkClosed(run);
  }

  /** A frame arrived from the run's wrapper. */
  heard(run: RunRecord): RunRecord {
    if (run.suspectedSince === null) return run;
    this.#job.deadlines.cancel('probe', run.id);
    this.#allowEvictionIfDone();
    this.#job.runs.patch(run.id, { suspectedSince: null });
    this.#job.runUpdater.addEvents(run, { type: 'answered', at: new Date().toISOString() });
    return { ...run, suspectedSince: null };
  }

  /** The `silence` deadline: suspects the runs that have been silent for too long, and probes them. */
  checkSilence(): void {
    const now = Date.now();
    for (const run of this.#linkable()) {
      if (!run.connected) continue;
      const socket = this.#job.sockets.current(run);
      if (socket === null) {
        // Closed by us, and the peer has not answered: its close event may never arrive.
        this.linkClosed(run);
        continue;
      }
      const heardAt = this.#job.sockets.lastHeard(socket);
      if (heardAt + this.#job.settings.silenceMs > now) continue;
      if (!isLive(run.state)) this.dropLink(run);
      else if (run.suspectedSince === null) this.#suspect(run, socket, heardAt, now);
    }
    const nextCheck = this.#nextCheck(this.#linkable(), now);
    if (nextCheck !== null) this.#job.deadlines.arm('silence', '', Math.max(nextCheck, now + MIN_CHECK_MS));
  }

  /**
   * When a link may next have been silent for too long; null if there is none.
   *
   * Each check costs an alarm and a row. A wrapper drops a link that does not answer, so nearly all links were heard of a
   * moment ago: these are checked half as often as they could be, and silence is found within twice SILENCE_MS.
   */
  #nextCheck(runs: readonly RunRecord[], now: number): number | null {
    const { silenceMs, wrapperSilenceMs } = this.#job.settings;
    const checks: number[] = [];
    for (const run of runs) {
      const socket = run.connected ? this.#job.sockets.current(run) : null;
      if (socket === null) continue;
      const heardAt = this.#job.sockets.lastHeard(socket);
      if (heardAt > now - wrapperSilenceMs) checks.push(now + 2 * silenceMs);
      else checks.push((run.suspectedSince === null ? heardAt : now) + silenceMs);
    }
    return checks.length === 0 ? null : Math.min(...checks);
  }

  /** The `probe` deadline: a suspected run has had its time to answer. */
  probeDue(deadline: Deadline): void {
    const run = this.#job.runs.get(deadline.subject);
    if (run === null || run.suspectedSince === null || !isLive(run.state)) return;
    const socket = this.#job.sockets.current(run);
    if (socket === null) return;
    if (this.#job.sockets.lastHeard(socket) > run.suspectedSince) {
      this.heard(run);
      return;
    }
    if (this.#isLate(deadline)) {
      this.#suspect(run, socket, run.suspectedSince, Date.now());
      return;
    }
    this.#declareLost(run, Date.now() - run.suspectedSince);
    close(socket, CLOSE_CODES.unresponsive, 'nothing was heard; reconnect');
  }

  /** The `disconnect` deadline: a disconnected run has had its time to reconnect. */
  disconnectDue(deadline: Deadline): void {
    const run = this.#job.runs.get(deadline.subject);
    if (run === null || run.connected || !isLive(run.state)) return;
    // While D1 is unavailable no wrapper can authenticate, so no run could have reconnected.
    if (this.#isLate(deadline) || this.#job.outbox.isD1Unavailable) this.#awaitReturn(run);
    else this.#declareLost(run, Date.now() - deadline.armedAt);
  }

  /** A wrapper has connected. First of all: a later alarm that was set before would have to be set again. */
  watchSilence(): void {
    this.#job.deadlines.armIfUnset('silence', '', Date.now() + this.#job.settings.silenceMs);
  }

  #suspect(run: RunRecord, socket: WebSocket, heardAt: number, now: number): void {
    this.#job.runs.patch(run.id, { suspectedSince: heardAt });
    this.#job.runUpdater.addEvents(run, {
      type: 'suspected',
      at: new Date(now).toISOString(),
      silent_ms: now - heardAt,
    });
    sendToWrapper(socket, { type: 'probe' });
    this.#job.deadlines.arm('probe', run.id, now + this.#job.settings.probeMs);
    this.#keepAlive(now + this.#job.settings.probeMs);
  }

  /**
   * A wrapper that can reach us is back soon, so the object may sleep at first. If it does, the new instance is the witness
   * of another whole deadline.
   */
  #awaitReturn(run: RunRecord): void {
    const { disconnectMs, reconnectCapMs } = this.#job.settings;
    this.#job.deadlines.arm('disconnect', run.id, Date.now() + disconnectMs);
    this.#job.deadlines.armIfUnset('witness', '', Date.now() + disconnectMs - 2 * reconnectCapMs);
  }

  /** The `witness` deadline: whatever has not returned by now may be lost. */
  stayUntilDecided(): void {
    const until = this.#job.deadlines.lastDue('disconnect');
    if (until !== null) this.#keepAlive(until);
  }

  #declareLost(run: RunRecord, silentMs: number): void {
    const status = changeRun(run, { kind: 'silent' });
    if (status === null) return;
    const now = Date.now();
    const lost = this.#job.runUpdater.update(
      run,
      {
        ...status,
        connected: false,
        disconnectedSince: run.disconnectedSince ?? now - silentMs,
        suspectedSince: null,
        exitCode: EXIT_LOST,
        reason: 'silence',
        endedAt: now,
      },
      { type: 'lost', at: new Date(now).toISOString(), silent_ms: silentMs },
    );
    log.warn('run_lost', { job: this.#job.name, run: run.id, machine: run.machine, silent_ms: silentMs });
    this.#job.killController.runLost(lost);
    this.#job.admission.left(lost);
  }

  /** An alarm that fires long after its time shows that the object was down: its verdict would be unfounded. */
  #isLate(deadline: Deadline): boolean {
    return Date.now() - deadline.dueAt > (deadline.dueAt - deadline.armedAt) / 2;
  }

  /**
   * Stays in memory while a deadline is pending, and no longer: a pending timer keeps the object from being hibernated
   * or evicted.
   */
  #keepAlive(until: number): void {
    if (this.#keepAliveTimer !== undefined && this.#keepAliveUntil >= until) return;
    clearTimeout(this.#keepAliveTimer);
    this.#keepAliveUntil = until;
    this.#keepAliveTimer = setTimeout(
      () => {
        this.#keepAliveTimer = undefined;
      },
      until - Date.now() + ALARM_DELAY_MS,
    );
  }

  /**
   * Thousands of deadlines may be pending: this acts only when the last of them is gone, and does not move the timer.
   */
  #allowEvictionIfDone(): void {
    const { deadlines } = this.#job;
    if (this.#keepAliveTimer === undefined || deadlines.hasAny('probe') || deadlines.hasAny('disconnect')) return;
    clearTimeout(this.#keepAliveTimer);
    this.#keepAliveTimer = undefined;
  }
}

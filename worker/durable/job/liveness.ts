/**
 * Whether a run is still alive: silent, suspected, probed, and only then declared lost.
 *
 * The object may itself have been down, moved or evicted. So a run that is disconnected is declared lost only by an
 * instance of the object that was in memory, and reachable, for the whole deadline; a new instance starts the deadline
 * again. The object therefore stays in memory while a deadline is pending.
 */
import { CLOSE_CODES } from '#protocol/close-codes';
import { EXIT_LOST, isLive } from '#protocol/run-state';
import { log } from '../../shared/log.ts';
import type { Deadline } from './alarm-scheduler.ts';
import type { JobContext } from './job-context.ts';
import type { RunRecord } from './run-store.ts';
import { changeRun } from './run-transitions.ts';
import { close, send } from './sockets.ts';

/** A wrapper sends `start` as soon as it is connected: a socket without one by now is not a wrapper's, or is dead. */
const START_MS = 30_000;
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
   * now. A deadline that was pending starts again: the object stays in memory while one is, so if it is constructed
   * meanwhile, it was down.
   */
  reconcile(): void {
    for (const run of this.#linkable()) {
      if (run.connected && this.#job.sockets.current(run) === null) this.linkClosed(run, 'control_plane_away');
      else if (!run.connected && isLive(run.state)) this.#awaitReturn(run);
    }
  }

  /** The run's wrapper sent `start`. */
  connected(run: RunRecord): void {
    this.#job.deadlines.cancel('disconnect', run.id);
    this.#job.deadlines.cancel('probe', run.id);
    this.#allowEvictionIfDone();
    this.#watchSilence();
  }

  /** A wrapper has connected, and has yet to send `start`. */
  connecting(): void {
    this.#watchSilence();
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
    this.#job.runUpdater.addEvent(run, { type: 'answered', at: new Date().toISOString() });
    return { ...run, suspectedSince: null };
  }

  /** The `silence` deadline: suspects the runs that have been silent for too long, and probes them. */
  checkSilence(): void {
    const now = Date.now();
    let nextCheck = this.#closeWithoutStart(now);
    for (const run of this.#linkable()) {
      if (!run.connected) continue;
      const socket = this.#job.sockets.current(run);
      if (socket === null) {
        // Closed by us, and the peer has not answered: its close event may never arrive.
        this.linkClosed(run);
        continue;
      }
      const heardAt = this.#job.sockets.lastHeard(socket);
      const quietAt = heardAt + this.#job.settings.silenceMs;
      if (quietAt <= now && !isLive(run.state)) {
        this.dropLink(run);
        continue;
      }
      if (quietAt <= now && run.suspectedSince === null) this.#suspect(run, socket, heardAt, now);
      const checkAt = quietAt <= now ? now + this.#job.settings.silenceMs : quietAt;
      nextCheck = Math.min(nextCheck ?? checkAt, checkAt);
    }
    if (nextCheck !== null) this.#job.deadlines.arm('silence', '', Math.max(nextCheck, now + MIN_CHECK_MS));
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

  #watchSilence(): void {
    this.#job.deadlines.armIfUnset('silence', '', Date.now() + Math.min(START_MS, this.#job.settings.silenceMs));
  }

  /** Closes sockets that never sent `start`. @returns when the next of them is due */
  #closeWithoutStart(now: number): number | null {
    let nextCheck: number | null = null;
    for (const { socket, acceptedAt } of this.#job.sockets.awaitingStart()) {
      const dueAt = acceptedAt + START_MS;
      if (dueAt <= now) close(socket, CLOSE_CODES.unresponsive, 'no start; reconnect');
      else nextCheck = Math.min(nextCheck ?? dueAt, dueAt);
    }
    return nextCheck;
  }

  #suspect(run: RunRecord, socket: WebSocket, heardAt: number, now: number): void {
    this.#job.runs.patch(run.id, { suspectedSince: heardAt });
    this.#job.runUpdater.addEvent(run, {
      type: 'suspected',
      at: new Date(now).toISOString(),
      silent_ms: now - heardAt,
    });
    send(socket, { type: 'probe' });
    this.#job.deadlines.arm('probe', run.id, now + this.#job.settings.probeMs);
    this.#keepAlive(now + this.#job.settings.probeMs);
  }

  #awaitReturn(run: RunRecord): void {
    const dueAt = Date.now() + this.#job.settings.disconnectMs;
    this.#job.deadlines.arm('disconnect', run.id, dueAt);
    this.#keepAlive(dueAt);
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
    if (this.#keepAliveTimer === undefined || this.#job.deadlines.hasAny('probe', 'disconnect')) return;
    clearTimeout(this.#keepAliveTimer);
    this.#keepAliveTimer = undefined;
  }
}

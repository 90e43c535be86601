/**
 * Whether a run still lives: heard, doubted, asked, and only then declared lost.
 *
 * A verdict needs a witness. The object may itself have been away: down, moved, evicted. So a run whose link was cut is
 * judged only by an incarnation of the object that was up, and could have been reached, for the whole of the deadline;
 * any younger one grants the deadline anew. While a verdict is pending the object therefore stays in memory.
 */

import { CLOSE_CODES } from '#protocol/close-codes';
import { EXIT_LOST, isLive } from '#protocol/run-state';
import { log } from '../../shared/log.ts';
import type { Settings } from '../../shared/settings.ts';
import type { Deadline, DeadlineBook } from './deadlines.ts';
import type { Journal } from './journal.ts';
import type { KillController } from './kill-controller.ts';
import type { Outbox } from './outbox.ts';
import type { RunRecord, RunStore } from './run-store.ts';
import { changeRun } from './run-transitions.ts';
import { close, type Sockets, send } from './sockets.ts';

/** A wrapper says `start` as soon as it is connected: what has not done so by now is none, or its link is dead. */
const START_MS = 30_000;
/** Look for quiet runs at most this often. */
const MIN_CHECK_MS = 250;
/** An alarm may ring this much after its time. */
const ALARM_DELAY_MS = 1_000;

export class Liveness {
  readonly #job: string;
  readonly #settings: Settings;
  readonly #runs: RunStore;
  readonly #journal: Journal;
  readonly #sockets: Sockets;
  readonly #deadlines: DeadlineBook;
  readonly #killController: KillController;
  readonly #outbox: Outbox;
  #attending: ReturnType<typeof setTimeout> | undefined;
  #attendedUntil = 0;

  constructor(parts: {
    job: string;
    settings: Settings;
    runs: RunStore;
    journal: Journal;
    sockets: Sockets;
    deadlines: DeadlineBook;
    killController: KillController;
    outbox: Outbox;
  }) {
    this.#job = parts.job;
    this.#settings = parts.settings;
    this.#runs = parts.runs;
    this.#journal = parts.journal;
    this.#sockets = parts.sockets;
    this.#deadlines = parts.deadlines;
    this.#killController = parts.killController;
    this.#outbox = parts.outbox;
  }

  /**
   * Called when the object is constructed, which is also how it wakes from hibernation.
   *
   * A run that is related connected and has no socket lost it while nobody was here to see: its deadline starts now. One
   * that was waited for is granted its deadline anew: since this object stays in memory while it waits, to be constructed
   * then means that it was away.
   */
  reconcile(): void {
    for (const run of this.#linkable()) {
      if (run.connected && this.#sockets.current(run) === null) this.linkLost(run, 'control_plane_away');
      else if (!run.connected && isLive(run.state)) this.#awaitReturn(run);
    }
  }

  /** The run's wrapper said `start`. */
  connected(run: RunRecord): void {
    this.#deadlines.cancel('disconnect', run.id);
    this.#deadlines.cancel('probe', run.id);
    this.#leaveIfDone();
    this.#watchSilence();
  }

  /** A wrapper has dialled, and is to say `start`. */
  dialled(): void {
    this.#watchSilence();
  }

  /** The runs that may have a link: those that are not over, and those of which something still runs. */
  #linkable(): RunRecord[] {
    return [...this.#runs.open(), ...this.#runs.withLeftProcesses()];
  }

  /** The socket that spoke for the run is gone. */
  linkLost(run: RunRecord, cause: 'closed' | 'control_plane_away' = 'closed'): void {
    this.#deadlines.cancel('probe', run.id);
    this.#deadlines.cancel('kill_answer', run.id);
    if (run.final) {
      // Its end is known: what is out of touch is only what it left running.
      this.#killController.leftOutOfReach(this.#journal.change(run, { connected: false }));
      return;
    }
    if (isLive(run.state)) this.#awaitReturn(run);
    else this.#leaveIfDone();
    const now = Date.now();
    this.#journal.change(
      run,
      { connected: false, outOfTouchSince: now, suspectedSince: null },
      { type: 'disconnected', at: new Date(now).toISOString(), cause },
    );
  }

  /** Gives up a link that does not answer, so that the wrapper dials anew. */
  dropLink(run: RunRecord): void {
    const socket = this.#sockets.current(run);
    if (socket !== null) close(socket, CLOSE_CODES.unresponsive, 'no answer: dial again');
    this.linkLost(run);
  }

  /** A frame came from the run's wrapper. */
  heard(run: RunRecord): RunRecord {
    if (run.suspectedSince === null) return run;
    this.#deadlines.cancel('probe', run.id);
    this.#leaveIfDone();
    this.#runs.patch(run.id, { suspectedSince: null });
    this.#journal.tell(run, { type: 'answered', at: new Date().toISOString() });
    return { ...run, suspectedSince: null };
  }

  /** The `silence` deadline: doubts the runs that were quiet for too long, and asks them. */
  checkSilence(): void {
    const now = Date.now();
    let nextCheck = this.#closeUnannounced(now);
    for (const run of this.#linkable()) {
      if (!run.connected) continue;
      const socket = this.#sockets.current(run);
      if (socket === null) {
        // Closed by us, and the peer never answered: its close event may never come.
        this.linkLost(run);
        continue;
      }
      const heardAt = this.#sockets.lastHeard(socket);
      const quietAt = heardAt + this.#settings.silenceMs;
      if (quietAt <= now && !isLive(run.state)) {
        this.dropLink(run);
        continue;
      }
      if (quietAt <= now && run.suspectedSince === null) this.#suspect(run, socket, heardAt, now);
      const checkAt = quietAt <= now ? now + this.#settings.silenceMs : quietAt;
      nextCheck = Math.min(nextCheck ?? checkAt, checkAt);
    }
    if (nextCheck !== null) this.#deadlines.arm('silence', '', Math.max(nextCheck, now + MIN_CHECK_MS));
  }

  /** The `probe` deadline: a suspected run had its chance to answer. */
  probeDue(deadline: Deadline): void {
    const run = this.#runs.get(deadline.subject);
    if (run === null || run.suspectedSince === null || !isLive(run.state)) return;
    const socket = this.#sockets.current(run);
    if (socket === null) return;
    if (this.#sockets.lastHeard(socket) > run.suspectedSince) {
      this.heard(run);
      return;
    }
    if (this.#isLate(deadline)) {
      this.#suspect(run, socket, run.suspectedSince, Date.now());
      return;
    }
    this.#declareLost(run, Date.now() - run.suspectedSince);
    close(socket, CLOSE_CODES.unresponsive, 'no sign of life: dial again');
  }

  /** The `disconnect` deadline: a run whose link was cut had its time to return. */
  disconnectDue(deadline: Deadline): void {
    const run = this.#runs.get(deadline.subject);
    if (run === null || run.connected || !isLive(run.state)) return;
    // While D1 is away no wrapper can sign in: nobody could have returned.
    if (this.#isLate(deadline) || this.#outbox.isD1Away) this.#awaitReturn(run);
    else this.#declareLost(run, Date.now() - deadline.armedAt);
  }

  #watchSilence(): void {
    if (this.#deadlines.has('silence', '')) return;
    this.#deadlines.arm('silence', '', Date.now() + Math.min(START_MS, this.#settings.silenceMs));
  }

  /** Hangs up on those that never said `start`. @returns when the next of them has had its time */
  #closeUnannounced(now: number): number | null {
    let nextCheck: number | null = null;
    for (const { socket, acceptedAt } of this.#sockets.unannounced()) {
      const dueAt = acceptedAt + START_MS;
      if (dueAt <= now) close(socket, CLOSE_CODES.unresponsive, 'no start: dial again');
      else nextCheck = Math.min(nextCheck ?? dueAt, dueAt);
    }
    return nextCheck;
  }

  #suspect(run: RunRecord, socket: WebSocket, heardAt: number, now: number): void {
    this.#runs.patch(run.id, { suspectedSince: heardAt });
    this.#journal.tell(run, { type: 'suspected', at: new Date(now).toISOString(), silent_ms: now - heardAt });
    send(socket, { type: 'probe' });
    this.#deadlines.arm('probe', run.id, now + this.#settings.probeMs);
    this.#attend(now + this.#settings.probeMs);
  }

  #awaitReturn(run: RunRecord): void {
    const dueAt = Date.now() + this.#settings.disconnectMs;
    this.#deadlines.arm('disconnect', run.id, dueAt);
    this.#attend(dueAt);
  }

  #declareLost(run: RunRecord, silentMs: number): void {
    const standing = changeRun(run, { kind: 'silent' });
    if (standing === null) return;
    const now = Date.now();
    const lost = this.#journal.change(
      run,
      {
        ...standing,
        connected: false,
        outOfTouchSince: run.outOfTouchSince ?? now - silentMs,
        suspectedSince: null,
        exitCode: EXIT_LOST,
        reason: 'silence',
        endedAt: now,
      },
      { type: 'lost', at: new Date(now).toISOString(), silent_ms: silentMs },
    );
    log.warn('run_lost', { job: this.#job, run: run.id, machine: run.machine, silent_ms: silentMs });
    this.#killController.runLost(lost);
  }

  /** An alarm that rings long after its time says that the object was away: nothing may be judged by it. */
  #isLate(deadline: Deadline): boolean {
    return Date.now() - deadline.dueAt > (deadline.dueAt - deadline.armedAt) / 2;
  }

  /**
   * Stays in memory while a verdict is pending, and no longer: a pending timer keeps the object from hibernating and from
   * being evicted for idleness.
   */
  #attend(until: number): void {
    if (this.#attending !== undefined && this.#attendedUntil >= until) return;
    clearTimeout(this.#attending);
    this.#attendedUntil = until;
    this.#attending = setTimeout(
      () => {
        this.#attending = undefined;
      },
      until - Date.now() + ALARM_DELAY_MS,
    );
  }

  /** With thousands of verdicts pending only the last matters: which one would be due when is not asked. */
  #leaveIfDone(): void {
    if (this.#attending === undefined || this.#deadlines.hasAny('probe', 'disconnect')) return;
    clearTimeout(this.#attending);
    this.#attending = undefined;
  }
}

/**
 * From an operator's order to its end: finds the runs a kill is for, gets it to their wrappers at least once, and records
 * how far each has come.
 */
import * as v from 'valibot';
import type { Kill, NewRunEvent } from '#protocol/api';
import {
  isProgress,
  isTargetEnded,
  type KillPhase,
  KillSignal,
  type KillState,
  type TargetState,
} from '#protocol/kill';
import type { RelatedProcess } from '#protocol/machine-facts';
import { type EndReason, isLive } from '#protocol/run-state';
import type { KillMessage } from '#protocol/wrapper-link';
import { log } from '../../shared/log.ts';
import type { DeadlineBook } from './deadlines.ts';
import type { Journal } from './journal.ts';
import {
  type KillRecord,
  type KillStore,
  killRecord,
  killResource,
  matchesRun,
  NO_SURVIVORS,
  passesOver,
  type TargetRecord,
} from './kill-store.ts';
import type { Outbox } from './outbox.ts';
import { hasLeftProcesses, type RunRecord, type RunStore } from './run-store.ts';
import { changeRun } from './run-transitions.ts';
import { close, type Sockets, send } from './sockets.ts';
import type { Viewers } from './viewers.ts';

/** What a wrapper says about ending its command. */
export interface KillReport {
  /** Null when the wrapper itself ends the run. */
  readonly kill: string | null;
  readonly reason: EndReason;
  readonly phase: KillPhase;
  readonly signal: string | null;
  readonly at_ms: number;
  readonly survivors: readonly number[];
  readonly unnamed_survivors: boolean;
  /** related processes, not killed. */
  readonly related?: readonly RelatedProcess[] | undefined;
}

/** A kill that stays unanswered is sent this often down one socket before the socket is given up. */
const SENDS_PER_SOCKET = 2;

export class KillController {
  readonly #job: string;
  readonly #answerMs: number;
  readonly #lostTargetMs: number;
  readonly #runs: RunStore;
  readonly #kills: KillStore;
  readonly #journal: Journal;
  readonly #sockets: Sockets;
  readonly #deadlines: DeadlineBook;
  readonly #viewers: Viewers;
  readonly #outbox: Outbox;

  constructor(parts: {
    job: string;
    answerMs: number;
    lostTargetMs: number;
    runs: RunStore;
    kills: KillStore;
    journal: Journal;
    sockets: Sockets;
    deadlines: DeadlineBook;
    viewers: Viewers;
    outbox: Outbox;
  }) {
    this.#job = parts.job;
    this.#answerMs = parts.answerMs;
    this.#lostTargetMs = parts.lostTargetMs;
    this.#runs = parts.runs;
    this.#kills = parts.kills;
    this.#journal = parts.journal;
    this.#sockets = parts.sockets;
    this.#deadlines = parts.deadlines;
    this.#viewers = parts.viewers;
    this.#outbox = parts.outbox;
  }

  /** Takes a kill from the queue; one that it has already is left as it is. */
  accept(queued: Kill): void {
    const known = this.#kills.get(queued.id);
    if (known !== null) {
      // Offered again because D1 has not heard that it was taken.
      this.#outbox.note('kill', known.id, known.seq);
      return;
    }
    const kill = killRecord(queued);
    this.#kills.insert(kill);
    this.#log('kill_accepted', kill);
    this.#deadlines.arm('expire', kill.id, kill.expiresAt);
    this.#refuseIfOver(kill);
    // One that comes out of the queue only after its time finds nobody: it would end what nobody means any more.
    if (Date.now() < kill.expiresAt) this.#findRuns(kill);
    this.#update(kill.id);
  }

  get(id: string): Kill | null {
    const kill = this.#kills.get(id);
    return kill === null ? null : killResource(this.#job, kill, this.#kills.targetsOf(id));
  }

  /** Takes a call that waits for the end of a kill, which may still be on its way here, in the queue. */
  wait(socket: WebSocket, id: string): void {
    this.#sockets.acceptWaiter(socket, id);
    const kill = this.get(id);
    if (kill !== null && isOver(kill.state)) tellEnd(socket, kill);
  }

  /** A run's wrapper has (re)connected: finds the kills that are meant for it and sends those it does not know yet. */
  runConnected(run: RunRecord, applied: ReadonlySet<string>): void {
    const changed = new Set<string>();
    for (const kill of this.#kills.searching(Date.now())) {
      if (matchesRun(kill, run) && this.#bind(kill, run)) changed.add(kill.id);
    }
    for (const target of this.#openTargets(run)) {
      if (applied.has(target.kill)) continue;
      const kill = this.#kills.get(target.kill);
      if (kill !== null && this.#send(kill, { ...target, sends: 0 }, run)) changed.add(kill.id);
    }
    for (const id of changed) this.#update(id);
  }

  /** The wrapper says how far it is. Repeats and stragglers change nothing. */
  progress(run: RunRecord, report: KillReport): RunRecord {
    if (run.final && (report.kill === null || !hasLeftProcesses(run))) return run;
    if (report.kill === null) return this.#record(run, report, !this.#journal.hasToldStep(run, report));
    const target = this.#kills.target(report.kill, run.id);
    if (target === null) {
      log.warn('kill_unknown', { job: this.#job, run: run.id, kill: report.kill });
      return run;
    }
    // A lost run that returns repeats where it is: no news of the target, but of the run.
    if (!isProgress(target.state, report.phase)) return this.#record(run, report, false);
    this.#kills.setTarget(target, report.phase, {
      survivors: report.survivors,
      unnamedSurvivors: report.unnamed_survivors,
      related: report.related ?? [],
    });
    const isAnswered = this.#openTargets(run).every(({ state }) => state !== 'sent');
    if (isAnswered) this.#deadlines.cancel('kill_answer', run.id);
    if (this.#kills.acknowledge(target)) {
      this.#journal.tell(run, { type: 'kill_delivered', at: timeOf(run, report), kill: report.kill });
    }
    const changed = this.#record(run, report, !this.#journal.hasToldStep(run, report));
    const kill = this.#kills.get(report.kill);
    if (kill !== null) {
      this.#log('kill_progress', kill, { run: run.id, phase: report.phase, survivors: report.survivors.length });
    }
    this.#update(report.kill);
    return changed;
  }

  /** What is open stays open while something of the run still runs: it can be ended. */
  runEnded(run: RunRecord): void {
    if (!run.connected) this.#deadlines.cancel('kill_answer', run.id);
    for (const target of this.#kills.targetsAt(run.id)) {
      const state = endOfTarget(target, run);
      this.#kills.setTarget(target, state, target);
      const kill = state === 'pending' ? this.#kills.get(target.kill) : null;
      if (kill !== null) this.#send(kill, { ...target, state, sends: 0 }, run);
      this.#update(target.kill);
    }
  }

  /** Of a run that ended before nothing runs any more. */
  nothingLeft(run: RunRecord): void {
    this.#deadlines.cancel('kill_answer', run.id);
    for (const target of this.#openTargets(run)) {
      this.#kills.setTarget(target, endOfTarget(target, run), target);
      this.#update(target.kill);
    }
  }

  /** The link of a run that has ended is gone: kills wait for another, but no longer than they look for runs. */
  leftOutOfReach(run: RunRecord): void {
    for (const target of this.#openTargets(run)) {
      const kill = this.#kills.get(target.kill);
      if (kill !== null && Date.now() >= kill.expiresAt) this.#giveUp(target);
    }
  }

  runLost(run: RunRecord): void {
    this.#deadlines.cancel('kill_answer', run.id);
    for (const target of this.#kills.targetsAt(run.id)) {
      if (!isTargetEnded(target.state)) this.#kills.setTarget(target, 'lost', target);
      this.#update(target.kill);
    }
  }

  /** A lost run is back: what was meant for it counts again. */
  runReturned(run: RunRecord): void {
    for (const target of this.#kills.targetsAt(run.id)) {
      if (target.state === 'lost') this.#kills.setTarget(target, 'pending', target);
      this.#update(target.kill);
    }
  }

  /** The wrapper has not answered in time: sends again. @returns whether instead its link is to be given up */
  unanswered(run: RunRecord): boolean {
    const open = this.#openTargets(run).filter((target) => target.state === 'sent');
    if (open.some((target) => target.sends >= SENDS_PER_SOCKET)) return true;
    for (const target of open) {
      const kill = this.#kills.get(target.kill);
      if (kill !== null) this.#send(kill, target, run);
    }
    return false;
  }

  /** Ends the search for runs. Targets stay bound until their runs have ended. */
  expire(id: string): void {
    for (const target of this.#kills.openAtUnlinkedEnds(id)) this.#giveUp(target);
    this.#update(id);
  }

  /** Its run has ended, and who could end what is left of it may never come: should they come, it counts again. */
  #giveUp(target: TargetRecord): void {
    this.#kills.setTarget(target, 'lost', target);
    this.#update(target.kill);
  }

  /** The runs that a kill may be for: to look through thousands for the one it names would be waste. */
  #candidates(kill: KillRecord): RunRecord[] {
    if (kill.run === null) return this.#runs.open();
    const run = this.#runs.get(kill.run);
    return run === null ? [] : [run];
  }

  /** Whether a kill would be for any run that is here. */
  wouldFind(queued: Kill): boolean {
    return this.#found(killRecord(queued)).length > 0;
  }

  #found(kill: KillRecord): RunRecord[] {
    return this.#candidates(kill).filter((run) => matchesRun(kill, run) && !passesOver(kill, run, this.#lostTargetMs));
  }

  #findRuns(kill: KillRecord): void {
    for (const run of this.#found(kill)) {
      this.#bind(kill, run);
      const target = this.#kills.target(kill.id, run.id);
      if (target !== null && !isTargetEnded(target.state)) this.#send(kill, target, run);
    }
  }

  /** A kill for one run that is over for good is told so now, and not when it expires. */
  #refuseIfOver(kill: KillRecord): void {
    const run = kill.run === null ? null : this.#runs.get(kill.run);
    if (!run?.final || matchesRun(kill, run) || !matchesRun(kill, { ...run, final: false })) return;
    this.#kills.addTarget(kill.id, run.id);
    this.#kills.setTarget({ kill: kill.id, run: run.id }, 'refused', NO_SURVIVORS);
  }

  /** Makes a run a target of a kill, once. @returns whether it was none before: then the kill is to be updated */
  #bind(kill: KillRecord, run: RunRecord): boolean {
    if (!this.#kills.addTarget(kill.id, run.id)) return false;
    this.#journal.tell(run, {
      type: 'kill_requested',
      at: new Date(kill.requestedAt).toISOString(),
      kill: kill.id,
      requested_by: kill.requestedBy,
      reason: kill.reason,
      ...mannerAt(kill, run),
      include: kill.include,
    });
    // A run that counts as lost gets the kill should it return; until then nobody is there to be waited for.
    if (!run.final && !isLive(run.state)) this.#kills.setTarget({ kill: kill.id, run: run.id }, 'lost', NO_SURVIVORS);
    return true;
  }

  /**
   * Sends the kill down the run's socket; without one the target stays pending until the run connects.
   *
   * @returns whether the target's state has changed: then the kill is to be updated
   */
  #send(kill: KillRecord, target: TargetRecord, run: RunRecord): boolean {
    // A link that broke or was given up may still look open, above all after a hibernation.
    const socket = run.connected ? this.#sockets.current(run) : null;
    if (socket === null) return false;
    const { signal, grace_ms } = mannerAt(kill, run);
    send(socket, {
      type: 'kill',
      kill: kill.id,
      signal: v.is(KillSignal, signal) ? signal : null,
      grace_ms,
      include: kill.include,
      requested_by: kill.requestedBy,
      reason: kill.reason,
      request_id: kill.requestId,
    } satisfies KillMessage);
    this.#log('kill_sent', kill, { run: run.id });
    this.#kills.countSends(target, target.sends + 1);
    // The first that waits sets the time: who clicks again and again must not put it off.
    if (!this.#deadlines.has('kill_answer', run.id)) {
      this.#deadlines.arm('kill_answer', run.id, Date.now() + this.#answerMs);
    }
    if (target.state !== 'pending') return false;
    this.#kills.setTarget(target, 'sent', target);
    this.#journal.tell(run, { type: 'kill_sent', at: new Date().toISOString(), kill: kill.id });
    return true;
  }

  /** @param isNews whether the step is to be told: it is repeated after a reconnect, and when a lost run returns */
  #record(run: RunRecord, report: KillReport, isNews: boolean): RunRecord {
    const event: NewRunEvent = {
      type: 'kill_progress',
      at: timeOf(run, report),
      kill: report.kill,
      reason: report.reason,
      phase: report.phase,
      signal: report.signal,
      survivors: [...report.survivors],
      unnamed_survivors: report.unnamed_survivors,
      related: [...(report.related ?? [])],
    };
    const standing = report.phase === 'refused' ? null : changeRun(run, { kind: 'signalled' });
    if (standing !== null) return this.#journal.change(run, standing, ...(isNews ? [event] : []));
    if (isNews) this.#journal.tell(run, event);
    return run;
  }

  /** Each line names the operator's call: all that came of it is found by that. */
  #log(event: string, kill: KillRecord, fields: Readonly<Record<string, string | number>> = {}): void {
    log.info(event, { request: kill.requestId, job: this.#job, kill: kill.id, ...fields });
  }

  #openTargets(run: RunRecord): TargetRecord[] {
    return this.#kills.targetsAt(run.id).filter((target) => !isTargetEnded(target.state));
  }

  /** Works out a kill's state anew, and tells everyone. */
  #update(id: string): void {
    const kill = this.#kills.get(id);
    if (kill === null) return;
    const state = this.#kills.stateOf(id, Date.now() >= kill.expiresAt);
    const seq = kill.seq + 1;
    this.#kills.setState(id, state, seq);
    // With all its targets a kill may be large: it is put together only for those who are there to see it.
    const waiters = isOver(state) ? this.#sockets.waiters(id) : [];
    if (waiters.length > 0 || this.#viewers.isAnyoneThere()) {
      const resource = killResource(this.#job, { ...kill, state, seq }, this.#kills.targetsOf(id));
      this.#viewers.kill(resource);
      for (const socket of waiters) tellEnd(socket, resource);
    }
    this.#outbox.note('kill', id, seq);
    if (state !== kill.state && isOver(state)) this.#log(`kill_${state}`, kill);
  }
}

/**
 * How a run is to be ended: where the kill does not say, as the run was started to be. A signal that is none of
 * KILL_SIGNALS can only be a run's own.
 */
function mannerAt({ signal, graceMs }: KillRecord, run: RunRecord): { signal: string; grace_ms: number } {
  return { signal: signal ?? run.killSignal, grace_ms: graceMs ?? run.graceMs };
}

/** When the wrapper took the step, by our clock; it does not lie in the future. */
function timeOf(run: RunRecord, { at_ms }: KillReport): string {
  return new Date(Math.min(Date.now(), run.startedAt + at_ms)).toISOString();
}

/** Whether nothing more is to be waited for; a late run may still open it again. */
function isOver(state: KillState): boolean {
  return state === 'settled' || state === 'expired';
}

/** Answers a call that waits. */
function tellEnd(socket: WebSocket, kill: Kill): void {
  send(socket, { type: 'kill', kill });
  close(socket, 1000, kill.state);
}

/** How a kill ended at a run that has ended: by doing its work, or by coming too late. */
function endOfTarget(target: TargetRecord, run: RunRecord): TargetState {
  switch (target.state) {
    case 'gone':
    case 'refused':
      return target.state;
    case 'term':
    case 'kill':
      return 'gone';
    case 'pending':
    case 'sent':
    case 'delivered':
      return hasLeftProcesses(run) ? target.state : 'refused';
    case 'lost':
      if (run.reason === 'operator') return 'gone';
      return hasLeftProcesses(run) ? 'pending' : 'refused';
  }
}

/**
 * Carries out kills: finds the runs that a kill applies to, sends it to their wrappers at least once, and records how far
 * each target has come.
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
import type { JobContext } from './job-context.ts';
import {
  type KillRecord,
  killRecord,
  killResource,
  matchesRun,
  NO_SURVIVORS,
  skipsLostRun,
  type TargetRecord,
} from './kill-store.ts';
import { hasLeftProcesses, type RunRecord } from './run-store.ts';
import { changeRun } from './run-transitions.ts';
import { close, send } from './sockets.ts';

/** What a wrapper reports while it ends its command. */
export interface KillReport {
  /** Null when the wrapper itself ends the run. */
  readonly kill: string | null;
  readonly reason: EndReason;
  readonly phase: KillPhase;
  readonly signal: string | null;
  readonly at_ms: number;
  readonly survivors: readonly number[];
  readonly unnamed_survivors: boolean;
  /** Related processes, which were not killed. */
  readonly related?: readonly RelatedProcess[] | undefined;
}

/** An unanswered kill is sent this often on one socket before the socket is closed. */
const SENDS_PER_SOCKET = 2;

export class KillController {
  readonly #job: JobContext;

  constructor(job: JobContext) {
    this.#job = job;
  }

  /**
   * Accepts a kill from the queue, once. All or nothing: a kill that was stored without its targets would reach none.
   */
  accept(queued: Kill): void {
    this.#job.storage.transaction(() => this.#accept(queued));
  }

  #accept(queued: Kill): void {
    const known = this.#job.kills.get(queued.id);
    if (known !== null) {
      // Pushed again because D1 does not have it as accepted.
      this.#job.outbox.add('kill', known.id, known.seq);
      return;
    }
    const kill = killRecord(queued);
    this.#job.kills.insert(kill);
    this.#log('kill_accepted', kill);
    this.#job.deadlines.arm('expire', kill.id, kill.expiresAt);
    this.#refuseIfRunEnded(kill);
    // A kill that is accepted only after it has expired applies to no run.
    if (Date.now() < kill.expiresAt) this.#sendToMatchingRuns(kill);
    this.#update(kill.id);
  }

  get(id: string): Kill | null {
    const kill = this.#job.kills.get(id);
    return kill === null ? null : killResource(this.#job.name, kill, this.#job.kills.targetsOf(id));
  }

  /** Accepts a call that waits until a kill is settled. The kill may still be in the queue. */
  wait(socket: WebSocket, id: string): void {
    this.#job.sockets.acceptWaiter(socket, id);
    const kill = this.get(id);
    if (kill !== null && isDone(kill.state)) sendResult(socket, kill);
  }

  /** A run's wrapper has connected: finds the kills that apply to the run, and sends those it has not applied yet. */
  runConnected(run: RunRecord, applied: ReadonlySet<string>): void {
    const changed = new Set<string>();
    for (const kill of this.#job.kills.searching(Date.now())) {
      if (matchesRun(kill, run) && this.#bind(kill, run)) changed.add(kill.id);
    }
    for (const target of this.#openTargets(run)) {
      if (applied.has(target.kill)) continue;
      const kill = this.#job.kills.get(target.kill);
      if (kill !== null && this.#send(kill, { ...target, sends: 0 }, run)) changed.add(kill.id);
    }
    for (const id of changed) this.#update(id);
  }

  /** The wrapper reports a step. One that is repeated or late changes nothing. */
  recordProgress(run: RunRecord, report: KillReport): RunRecord {
    if (run.final && (report.kill === null || !hasLeftProcesses(run))) return run;
    if (report.kill === null) return this.#recordStep(run, report, !this.#job.runUpdater.hasStep(run, report));
    const target = this.#job.kills.target(report.kill, run.id);
    if (target === null) {
      log.warn('kill_unknown', { job: this.#job.name, run: run.id, kill: report.kill });
      return run;
    }
    // A lost run that returns repeats its last step: the target is unchanged, the run may not be.
    if (!isProgress(target.state, report.phase)) return this.#recordStep(run, report, false);
    this.#job.kills.setTarget(target, report.phase, {
      survivors: report.survivors,
      unnamedSurvivors: report.unnamed_survivors,
      related: report.related ?? [],
    });
    const isAnswered = this.#openTargets(run).every(({ state }) => state !== 'sent');
    if (isAnswered) this.#job.deadlines.cancel('kill_answer', run.id);
    if (this.#job.kills.acknowledge(target)) {
      this.#job.runUpdater.addEvent(run, { type: 'kill_delivered', at: timeOf(run, report), kill: report.kill });
    }
    const changed = this.#recordStep(run, report, !this.#job.runUpdater.hasStep(run, report));
    const kill = this.#job.kills.get(report.kill);
    if (kill !== null) {
      this.#log('kill_progress', kill, { run: run.id, phase: report.phase, survivors: report.survivors.length });
    }
    this.#update(report.kill);
    return changed;
  }

  /** The run has ended. Its targets stay open as long as it has processes running, which a kill can end. */
  runEnded(run: RunRecord): void {
    if (!run.connected) this.#job.deadlines.cancel('kill_answer', run.id);
    for (const target of this.#job.kills.targetsAt(run.id)) {
      const state = endOfTarget(target, run);
      this.#job.kills.setTarget(target, state, target);
      const kill = state === 'pending' ? this.#job.kills.get(target.kill) : null;
      if (kill !== null) this.#send(kill, { ...target, state, sends: 0 }, run);
      this.#update(target.kill);
    }
  }

  /** The last of the processes that an ended run had left running has exited. */
  allProcessesEnded(run: RunRecord): void {
    this.#job.deadlines.cancel('kill_answer', run.id);
    for (const target of this.#openTargets(run)) {
      this.#job.kills.setTarget(target, endOfTarget(target, run), target);
      this.#update(target.kill);
    }
  }

  /** An ended run has disconnected: its kills wait for it to reconnect, until they expire. */
  endedRunDisconnected(run: RunRecord): void {
    for (const target of this.#openTargets(run)) {
      const kill = this.#job.kills.get(target.kill);
      if (kill !== null && Date.now() >= kill.expiresAt) this.#markLost(target);
    }
  }

  runLost(run: RunRecord): void {
    this.#job.deadlines.cancel('kill_answer', run.id);
    for (const target of this.#job.kills.targetsAt(run.id)) {
      if (!isTargetEnded(target.state)) this.#job.kills.setTarget(target, 'lost', target);
      this.#update(target.kill);
    }
  }

  /** A lost run is back: its kills apply again. */
  runReturned(run: RunRecord): void {
    for (const target of this.#job.kills.targetsAt(run.id)) {
      if (target.state === 'lost') this.#job.kills.setTarget(target, 'pending', target);
      this.#update(target.kill);
    }
  }

  /** The wrapper has not answered in time: sends again. @returns whether to close its link instead */
  unanswered(run: RunRecord): boolean {
    const open = this.#openTargets(run).filter((target) => target.state === 'sent');
    if (open.some((target) => target.sends >= SENDS_PER_SOCKET)) return true;
    for (const target of open) {
      const kill = this.#job.kills.get(target.kill);
      if (kill !== null) this.#send(kill, target, run);
    }
    return false;
  }

  /** Ends the search for runs. Targets stay bound until their runs have ended. */
  expire(id: string): void {
    for (const target of this.#job.kills.openAtDisconnectedEnds(id)) this.#markLost(target);
    this.#update(id);
  }

  /** The run has ended and may never reconnect. If it does, the kill applies again. */
  #markLost(target: TargetRecord): void {
    this.#job.kills.setTarget(target, 'lost', target);
    this.#update(target.kill);
  }

  /** The runs to look through: if the kill names a run, only that one. */
  #candidates(kill: KillRecord): RunRecord[] {
    if (kill.run === null) return this.#job.runs.open();
    const run = this.#job.runs.get(kill.run);
    return run === null ? [] : [run];
  }

  /** Whether a kill applies to any known run. */
  matchesAnyRun(queued: Kill): boolean {
    return this.#matchingRuns(killRecord(queued)).length > 0;
  }

  #matchingRuns(kill: KillRecord): RunRecord[] {
    return this.#candidates(kill).filter(
      (run) => matchesRun(kill, run) && !skipsLostRun(kill, run, this.#job.settings.lostTargetMs),
    );
  }

  #sendToMatchingRuns(kill: KillRecord): void {
    for (const run of this.#matchingRuns(kill)) {
      this.#bind(kill, run);
      const target = this.#job.kills.target(kill.id, run.id);
      if (target !== null && !isTargetEnded(target.state)) this.#send(kill, target, run);
    }
  }

  /** A kill that names a run which has ended is refused now, and not only when it expires. */
  #refuseIfRunEnded(kill: KillRecord): void {
    const run = kill.run === null ? null : this.#job.runs.get(kill.run);
    if (!run?.final || matchesRun(kill, run) || !matchesRun(kill, { ...run, final: false })) return;
    this.#job.kills.addTarget(kill.id, run.id);
    this.#job.kills.setTarget({ kill: kill.id, run: run.id }, 'refused', NO_SURVIVORS);
  }

  /** Makes a run a target of a kill, once. @returns whether it is new: then call `#update` */
  #bind(kill: KillRecord, run: RunRecord): boolean {
    if (!this.#job.kills.addTarget(kill.id, run.id)) return false;
    this.#job.runUpdater.addEvent(run, {
      type: 'kill_requested',
      at: new Date(kill.requestedAt).toISOString(),
      kill: kill.id,
      requested_by: kill.requestedBy,
      reason: kill.reason,
      ...killOptions(kill, run),
      include: kill.include,
    });
    // A lost run gets the kill if it returns; until then the kill does not wait for it.
    if (!run.final && !isLive(run.state))
      this.#job.kills.setTarget({ kill: kill.id, run: run.id }, 'lost', NO_SURVIVORS);
    return true;
  }

  /**
   * Sends the kill on the run's socket; without one the target stays pending until the run connects.
   *
   * @returns whether the target's state has changed: then call `#update`
   */
  #send(kill: KillRecord, target: TargetRecord, run: RunRecord): boolean {
    // The socket of a broken link may still look open, above all after a hibernation.
    const socket = run.connected ? this.#job.sockets.current(run) : null;
    if (socket === null) return false;
    const { signal, grace_ms } = killOptions(kill, run);
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
    this.#job.kills.countSends(target, target.sends + 1);
    // The first unanswered kill sets the time: repeated kills must not postpone it.
    this.#job.deadlines.armIfUnset('kill_answer', run.id, Date.now() + this.#job.settings.killAnswerMs);
    if (target.state !== 'pending') return false;
    this.#job.kills.setTarget(target, 'sent', target);
    this.#job.runUpdater.addEvent(run, { type: 'kill_sent', at: new Date().toISOString(), kill: kill.id });
    return true;
  }

  /** @param isNew whether it becomes an event: a wrapper repeats steps when it reconnects */
  #recordStep(run: RunRecord, report: KillReport, isNew: boolean): RunRecord {
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
    const status = report.phase === 'refused' ? null : changeRun(run, { kind: 'signalled' });
    if (status !== null) return this.#job.runUpdater.update(run, status, ...(isNew ? [event] : []));
    if (isNew) this.#job.runUpdater.addEvent(run, event);
    return run;
  }

  /** Each line has the id of the operator's request, so that all that followed from it can be found. */
  #log(event: string, kill: KillRecord, fields: Readonly<Record<string, string | number>> = {}): void {
    log.info(event, { request: kill.requestId, job: this.#job.name, kill: kill.id, ...fields });
  }

  #openTargets(run: RunRecord): TargetRecord[] {
    return this.#job.kills.targetsAt(run.id).filter((target) => !isTargetEnded(target.state));
  }

  /** Derives a kill's state from its targets, stores it and sends it to viewers, waiting calls and D1. */
  #update(id: string): void {
    const kill = this.#job.kills.get(id);
    if (kill === null) return;
    const state = this.#job.kills.stateOf(id, Date.now() >= kill.expiresAt);
    const seq = kill.seq + 1;
    this.#job.kills.patch(id, { state, seq });
    // With all its targets a kill may be large: it is assembled only if there is a recipient.
    const waiters = isDone(state) ? this.#job.sockets.waiters(id) : [];
    if (waiters.length > 0 || this.#job.viewers.hasAny()) {
      const resource = killResource(this.#job.name, { ...kill, state, seq }, this.#job.kills.targetsOf(id));
      this.#job.viewers.broadcast({ type: 'kill', kill: resource });
      for (const socket of waiters) sendResult(socket, resource);
    }
    this.#job.outbox.add('kill', id, seq);
    if (state !== kill.state && isDone(state)) this.#log(`kill_${state}`, kill);
  }
}

/** The signal and grace of a kill, or else the run's own. A signal that isn't in KILL_SIGNALS can only be a run's own. */
function killOptions({ signal, graceMs }: KillRecord, run: RunRecord): { signal: string; grace_ms: number } {
  return { signal: signal ?? run.killSignal, grace_ms: graceMs ?? run.graceMs };
}

/** The time of the step, by our clock and not in the future. */
function timeOf(run: RunRecord, { at_ms }: KillReport): string {
  return new Date(Math.min(Date.now(), run.startedAt + at_ms)).toISOString();
}

/** Whether the kill has nothing left to do; a lost run that returns may open it again. */
function isDone(state: KillState): boolean {
  return state === 'settled' || state === 'expired';
}

/** Responds to a call that waits. */
function sendResult(socket: WebSocket, kill: Kill): void {
  send(socket, { type: 'kill', kill });
  close(socket, 1000, kill.state);
}

/** The state of a target whose run has ended. */
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

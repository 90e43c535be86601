/**
 * Carries out kills: finds the runs that a kill applies to, sends it to their wrappers at least once, and records how far
 * each target has come.
 */
import { ulid } from 'ulid';
import * as v from 'valibot';
import type { Kill, NewRunEvent, TargetTiming } from '#protocol/api';
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
import { SALTPETER_KILL } from '#protocol/wrapper-kind';
import type { KillMessage, KillTiming } from '#protocol/wrapper-link';
import type { Actor } from '../../shared/d1/audit.ts';
import { KEY_MS } from '../../shared/d1/idempotency.ts';
import type { QueuedKill } from '../../shared/d1/kill-queue.ts';
import type { NewKill, NewKills } from '../../shared/d1/new-kills.ts';
import type { TakenKill } from '../../shared/job-changes.ts';
import { log } from '../../shared/log.ts';
import { newKill } from '../../shared/new-kill.ts';
import type { KillOffer, OfferResult } from '../../shared/rpc/job-object.ts';
import type { JobContext } from './job-context.ts';
import {
  firstSignal,
  type KillRecord,
  killRecord,
  killResource,
  matchesRun,
  skipsLostRun,
  type TargetRecord,
} from './kill-store.ts';
import { hasLeftProcesses, type RunRecord } from './run-store.ts';
import { changeRun } from './run-transitions.ts';
import { close, send, sendToWrapper } from './sockets.ts';

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
  /** By the wrapper's clock. */
  readonly timing?: KillTiming | undefined;
}

/** An unanswered kill is sent this often on one socket before the socket is closed. */
const SENDS_PER_SOCKET = 2;

export class KillController {
  readonly #job: JobContext;
  /** Since when kills of this object are durable, until that is stored. */
  readonly #storedMs = new Map<string, number>();

  constructor(job: JobContext) {
    this.#job = job;
  }

  /**
   * Accepts kills from the queue, each once. They are durable in D1, so they are sent before the first write: the runtime
   * holds back what is sent after it until the write is durable. If the write fails they are offered again, and a wrapper
   * applies an id once.
   */
  accept(queued: readonly QueuedKill[]): void {
    const sent = queued.map((kill) => (this.#isNew(kill) ? this.#transmitToMatching(killRecord(kill)) : null));
    queued.forEach((kill, index) => {
      try {
        // All or nothing: a kill that was stored without its targets would reach none.
        this.#job.storage.transaction(() => this.#acceptOne(kill, sent[index] ?? new Set()));
      } catch (error) {
        // It stays in the queue, and does not hold up the others.
        log.error('kill_not_accepted', error, { request: kill.request_id, job: this.#job.name, kill: kill.id });
      }
    });
  }

  #acceptOne(queued: QueuedKill, sent: ReadonlySet<string>): void {
    const known = this.#job.kills.get(queued.id);
    const same = this.#sameCall(queued);
    // Pushed again because D1 does not have it as accepted.
    if (known !== null) this.#job.outbox.add('kill', known.id, known.seq);
    else if (same !== null) this.#dropRepeated(queued, same);
    else this.#insert(killRecord(queued), sent);
  }

  /** Whether a kill applies to a run, or will as soon as the run connects. */
  isAimedAt(run: Parameters<typeof matchesRun>[1]): boolean {
    const { kills } = this.#job;
    return kills.targetsAt(run.id).length > 0 || kills.searching(Date.now()).some((kill) => matchesRun(kill, run));
  }

  /** Kills a run for another one, which replaces it. Once: `by` is the batch. */
  killFor(by: Pick<RunRecord, 'id' | 'machine'>, run: RunRecord): void {
    if (this.#openTargets(run).length > 0 || this.#job.kills.hasTargetInBatch(run.id, by.id)) return;
    const name = `run ${by.id} on ${by.machine}`;
    const origin = { env: this.#job.env, requestId: ulid(), address: null };
    const request = { run: run.id, reason: `--overlap kill-old: replaced by a newer run` };
    const { kill, audit } = newKill(origin, this.#job.name, request);
    this.take(
      { kills: [{ kill, audit: { ...audit, detail: { ...audit.detail, by_run: by.id } } }], batch: by.id, key: null },
      { id: by.id, name },
    );
  }

  #isNew(queued: QueuedKill): boolean {
    return this.#job.kills.get(queued.id) === null && this.#sameCall(queued) === null;
  }

  /** The kill that this object took for the same call while D1 was away or late: D1 then stored the repeated call as well. */
  #sameCall({ id, batch, key }: QueuedKill): KillRecord | null {
    if (key === undefined || key === null) return null;
    const earlier = this.#job.kills.withKey(key.actor, key.key, Date.now() - KEY_MS);
    return (
      earlier.find(
        (kill) =>
          kill.audit !== null &&
          kill.key?.fingerprint === key.fingerprint &&
          (batch === null ? kill.id !== id : kill.batch !== batch),
      ) ?? null
    );
  }

  /** What is here decides: D1 removes the other, and has the key name this one. */
  #dropRepeated(queued: QueuedKill, same: KillRecord): void {
    log.info('kill_repeated', { request: queued.request_id, job: this.#job.name, kill: same.id, dropped: queued.id });
    this.#job.outbox.addRemoved('kill', queued.id, queued.seq + 1);
    this.#job.kills.patch(same.id, { sentSeq: 0 });
    this.#job.outbox.add('kill', same.id, same.seq);
  }

  /** Takes kills that are stored nowhere yet, so they are stored before they are sent. */
  offer({ kills, batch, key, caller }: KillOffer): OfferResult {
    const isKnown = kills.every(({ kill }) => this.#knows(kill.run));
    const actor =
      caller.kind === 'known' ? caller.caller : this.#job.credentials.trusted(caller.presented, this.#job.name);
    if (!isKnown || actor === null) {
      return { kind: 'passed', isKnown, foreseen: isKnown ? this.#foreseen(kills.map(({ kill }) => kill)) : null };
    }
    const earlier = key === null ? [] : this.#job.kills.withKey(actor.id, key.key, Date.now() - KEY_MS);
    if (earlier.length > 0) {
      if (earlier.some((kill) => kill.key?.fingerprint !== key?.fingerprint)) return { kind: 'key_reused' };
      return { kind: 'repeated', kills: earlier.flatMap(({ id }) => this.get(id) ?? []) };
    }
    this.take({ kills, batch, key }, { id: actor.id, name: actor.name });
    return { kind: 'taken', kills: kills.flatMap(({ kill }) => this.get(kill.id) ?? []) };
  }

  /** Takes kills that are stored nowhere else: all of them or none. D1 gets them by the outbox. */
  take({ kills, batch, key }: NewKills, actor: Actor): void {
    const records: KillRecord[] = [];
    this.#job.storage.transaction(() => {
      for (const { kill, audit } of kills) {
        const made = { ...kill, batch, requested_by: actor.name, key: key && { ...key, actor: actor.id } };
        const record = killRecord(made, { ...audit, actor });
        this.#insert(record, idsOf(this.#reachable(record)));
        records.push(record);
      }
    });
    // After the write, so that the runtime holds it back until the write is durable.
    this.#job.storage.afterCommit(() => {
      for (const record of records) this.#transmitToMatching(record);
      this.#measureStoring(kills);
    });
  }

  /** The kills with the targets that they will have; null unless each has one that it can end. Stores nothing. */
  #foreseen(kills: readonly Kill[]): Kill[] | null {
    const foreseen = kills.flatMap((kill) => {
      const record = killRecord(kill);
      const runs = this.#matchingRuns(record);
      if (!runs.some(canApply)) return [];
      return [
        killResource(
          this.#job.name,
          record,
          runs.map((run) => targetRecord(record, run)),
        ),
      ];
    });
    return foreseen.length === kills.length ? foreseen : null;
  }

  /** Whether the run is known; without one, whether the job is. */
  #knows(run: string | null): boolean {
    return run === null ? !this.#job.runs.isEmpty() : this.#job.runs.get(run) !== null;
  }

  /** Notes when they were durable. It is stored with what is written next: another row would say no more. */
  #measureStoring(kills: readonly NewKill[]): void {
    const note = async () => {
      await this.#job.state.storage.sync();
      for (const { kill } of kills) this.#storedMs.set(kill.id, sinceRequested(Date.parse(kill.requested_at)));
    };
    this.#job.state.waitUntil(note());
  }

  /** What D1 lacks of a kill, as it is now, if this object has taken it without D1. */
  taken(kill: Kill): TakenKill[] {
    const record = this.#job.kills.get(kill.id);
    if (record === null || record.audit === null || record.sentSeq > 0) return [];
    return [{ kill, audit: record.audit, key: record.key }];
  }

  /** @param sent the runs to which it was sent, or is about to be */
  #insert(kill: KillRecord, sent: ReadonlySet<string>): void {
    this.#log('kill_accepted', kill);
    this.#refuseIfRunEnded(kill);
    // A kill that is accepted only after it has expired applies to no run.
    const runs = Date.now() < kill.expiresAt ? this.#matchingRuns(kill) : [];
    for (const run of runs) this.#bind(kill, run, sent.has(run.id));
    const state = this.#job.kills.stateOf(kill.id, Date.now() >= kill.expiresAt);
    this.#job.kills.insert({ ...kill, state });
    if (!isDone(state)) this.#job.deadlines.arm('expire', kill.id, kill.expiresAt);
    this.#announce({ ...kill, state });
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
      if (matchesRun(kill, run) && this.#bind(kill, run, false)) changed.add(kill.id);
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
    this.#job.kills.updateTarget(target, {
      state: report.phase,
      acknowledged: true,
      survivors: report.survivors,
      unnamedSurvivors: report.unnamed_survivors,
      related: report.related ?? [],
      timing: this.#timingOf(target, report.timing),
    });
    const isAnswered = this.#openTargets(run).every(({ state }) => state !== 'sent');
    if (isAnswered) this.#job.deadlines.cancel('kill_answer', run.id);
    const delivered: NewRunEvent = { type: 'kill_delivered', at: timeOf(run, report), kill: report.kill };
    const isNew = !this.#job.runUpdater.hasStep(run, report);
    const changed = this.#recordStep(run, report, isNew, target.acknowledged ? [] : [delivered]);
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
      this.#setState(target, state);
      const kill = state === 'pending' ? this.#job.kills.get(target.kill) : null;
      if (kill !== null) this.#send(kill, { ...target, state, sends: 0 }, run);
      this.#update(target.kill);
    }
    if (!run.connected) this.endedRunDisconnected(run);
  }

  /** The last of the processes that an ended run had left running has exited. */
  allProcessesEnded(run: RunRecord): void {
    this.#job.deadlines.cancel('kill_answer', run.id);
    for (const target of this.#openTargets(run)) {
      this.#setState(target, endOfTarget(target, run));
      this.#update(target.kill);
    }
  }

  /** An ended run is disconnected: its kills wait for it to reconnect, until they expire. */
  endedRunDisconnected(run: RunRecord): void {
    for (const target of this.#openTargets(run)) {
      const kill = this.#job.kills.get(target.kill);
      if (kill !== null && Date.now() >= kill.expiresAt) this.#markLost(target);
    }
  }

  runLost(run: RunRecord): void {
    this.#job.deadlines.cancel('kill_answer', run.id);
    for (const target of this.#job.kills.targetsAt(run.id)) {
      if (!isTargetEnded(target.state)) this.#setState(target, 'lost');
      this.#update(target.kill);
    }
  }

  /** A lost run is back: its kills apply again. */
  runReturned(run: RunRecord): void {
    for (const target of this.#job.kills.targetsAt(run.id)) {
      if (target.state === 'lost') this.#setState(target, 'pending');
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

  /** Sets the deadlines of open kills again: they follow from the kills, and are only in memory. */
  resume(): void {
    for (const { id, expiresAt } of this.#job.kills.open()) {
      // Of one whose time is up, only if that was missed.
      if (expiresAt > Date.now() || this.#changesWithExpiry(id)) this.#job.deadlines.arm('expire', id, expiresAt);
    }
  }

  /** Ends the search for runs. Targets stay bound until their runs have ended. */
  expire(id: string): void {
    if (!this.#changesWithExpiry(id)) return;
    for (const target of this.#job.kills.openAtDisconnectedEnds(id)) this.#markLost(target);
    this.#update(id);
  }

  #changesWithExpiry(id: string): boolean {
    return (
      this.#job.kills.openAtDisconnectedEnds(id).length > 0 ||
      this.#job.kills.stateOf(id, true) !== this.#job.kills.get(id)?.state
    );
  }

  /** The run has ended and may never reconnect. If it does, the kill applies again. */
  #markLost(target: TargetRecord): void {
    this.#setState(target, 'lost');
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

  /** @returns the runs to whose wrappers it was sent; nothing is stored */
  #transmitToMatching(kill: KillRecord): ReadonlySet<string> {
    const runs = this.#reachable(kill);
    for (const run of runs) this.#transmit(kill, run);
    return idsOf(runs);
  }

  /** The matching runs whose wrappers it can be sent to. */
  #reachable(kill: KillRecord): RunRecord[] {
    if (Date.now() >= kill.expiresAt) return [];
    return this.#matchingRuns(kill).filter((run) => canApply(run) && this.#socketOf(run) !== null);
  }

  /** A kill that names a run which has ended is refused now, and not only when it expires. */
  #refuseIfRunEnded(kill: KillRecord): void {
    const run = kill.run === null ? null : this.#job.runs.get(kill.run);
    if (!run?.final || matchesRun(kill, run) || !matchesRun(kill, { ...run, final: false })) return;
    this.#job.kills.addTarget(kill.id, run.id, { state: 'refused' });
  }

  /**
   * Makes a run a target of a kill, once.
   *
   * @param isSent whether the kill was sent to its wrapper
   * @returns whether it is new: then call `#update`, unless the kill is not stored yet
   */
  #bind(kill: KillRecord, run: RunRecord, isSent: boolean): boolean {
    const state = stateOfUnsent(run);
    if (!this.#job.kills.addTarget(kill.id, run.id, isSent ? this.#sent(kill, 0) : { state })) return false;
    const requested: NewRunEvent = {
      type: 'kill_requested',
      at: new Date(kill.requestedAt).toISOString(),
      kill: kill.id,
      requested_by: kill.requestedBy,
      reason: kill.reason,
      ...killOptions(kill, run),
    };
    this.#job.runUpdater.addEvents(run, requested, ...(isSent ? [sentEvent(kill)] : []));
    if (isSent) this.#awaitAnswer(run);
    return true;
  }

  /**
   * Sends the kill on the run's socket; without one the target stays pending until the run connects.
   *
   * @returns whether the target's state has changed: then call `#update`
   */
  #send(kill: KillRecord, target: TargetRecord, run: RunRecord): boolean {
    if (!this.#transmit(kill, run)) return false;
    const isFirst = target.state === 'pending';
    const { state, sends, timing } = this.#sent(kill, target.sends);
    // What is sent again on the same socket follows a message that has probably arrived: its time is the first one's.
    const isNewLink = target.sends === 0;
    this.#job.kills.updateTarget(target, { sends, ...(isNewLink && { timing }), ...(isFirst && { state }) });
    if (isFirst) this.#job.runUpdater.addEvents(run, sentEvent(kill));
    this.#awaitAnswer(run);
    return isFirst || isNewLink;
  }

  /** What changes of a target with the kill being sent to it. */
  #sent(kill: KillRecord, sends: number): Required<Pick<TargetRecord, 'state' | 'sends' | 'timing'>> {
    const timing = { ...NO_TIMING, sent_ms: sinceRequested(kill.requestedAt) };
    return { state: 'sent', sends: sends + 1, timing };
  }

  #awaitAnswer(run: RunRecord): void {
    // Saltpeter's wrapper answers with the run's end only, and is deaf until then.
    if (run.wrapper === 'saltpeter') return;
    // The first unanswered kill sets the time: repeated kills must not postpone it.
    this.#job.deadlines.armIfUnset('kill_answer', run.id, Date.now() + this.#job.settings.killAnswerMs);
  }

  /** Only sends. @returns whether there is a socket to send it on */
  #transmit(kill: KillRecord, run: RunRecord): boolean {
    const socket = this.#socketOf(run);
    if (socket === null) return false;
    const { signal, grace_ms, include } = killOptions(kill, run);
    sendToWrapper(socket, {
      type: 'kill',
      kill: kill.id,
      signal: v.is(KillSignal, signal) ? signal : null,
      grace_ms,
      include,
      requested_by: kill.requestedBy,
      reason: kill.reason,
      request_id: kill.requestId,
    } satisfies KillMessage);
    this.#log('kill_sent', kill, { run: run.id });
    return true;
  }

  /** The socket of a broken link may still look open, above all after a hibernation. */
  #socketOf(run: RunRecord): WebSocket | null {
    return run.connected ? this.#job.sockets.current(run) : null;
  }

  #setState(target: TargetRecord, state: TargetState): void {
    if (state !== target.state) this.#job.kills.updateTarget(target, { state });
  }

  /** The target's timing after a report: what a later one leaves open an earlier one may have said. */
  #timingOf({ kill, timing }: TargetRecord, reported: KillTiming | undefined): TargetTiming | null {
    const requestedAt = this.#job.kills.get(kill)?.requestedAt;
    if (reported === undefined || timing === null || timing.sent_ms === null || requestedAt === undefined)
      return timing;
    // The first answer comes soonest after the kill, so its round trip is the kill's.
    const roundTripMs = sinceRequested(requestedAt) - timing.sent_ms - reported.sent_ms;
    const receivedMs = timing.received_ms ?? timing.sent_ms + Math.max(0, roundTripMs / 2);
    const sinceRequest = (ms: number | null) => (ms === null ? null : toTenths(receivedMs + ms));
    return {
      sent_ms: timing.sent_ms,
      received_ms: toTenths(receivedMs),
      first_signal_ms: timing.first_signal_ms ?? sinceRequest(reported.first_signal_ms),
      last_process_gone_ms: timing.last_process_gone_ms ?? sinceRequest(reported.last_process_gone_ms),
    };
  }

  /**
   * @param isNew whether it becomes an event: a wrapper repeats steps when it reconnects
   * @param before events that precede it
   */
  #recordStep(run: RunRecord, report: KillReport, isNew: boolean, before: readonly NewRunEvent[] = []): RunRecord {
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
    const events = isNew ? [...before, event] : before;
    if (status !== null) return this.#job.runUpdater.update(run, status, ...events);
    this.#job.runUpdater.addEvents(run, ...events);
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
    const storedMs = kill.storedMs ?? this.#storedMs.get(id) ?? null;
    const changed = { ...kill, storedMs, state, seq: kill.seq + 1 };
    this.#job.kills.patch(id, { storedMs, state, seq: changed.seq });
    this.#storedMs.delete(id);
    this.#setExpiry(kill, state);
    this.#announce(changed);
    if (state !== kill.state && isDone(state)) this.#log(`kill_${state}`, kill);
  }

  /** A kill that is over has nothing to expire: an alarm less. If a lost run returns, it is open again. */
  #setExpiry(before: KillRecord, state: KillState): void {
    if (isDone(state) === isDone(before.state)) return;
    if (isDone(state)) this.#job.deadlines.cancel('expire', before.id);
    else if (Date.now() < before.expiresAt) this.#job.deadlines.arm('expire', before.id, before.expiresAt);
  }

  #announce(kill: KillRecord): void {
    // With all its targets a kill may be large: it is assembled only if there is a recipient.
    const waiters = isDone(kill.state) ? this.#job.sockets.waiters(kill.id) : [];
    if (waiters.length > 0 || this.#job.viewers.hasAny()) {
      const resource = killResource(this.#job.name, kill, this.#job.kills.targetsOf(kill.id));
      this.#job.viewers.broadcast({ type: 'kill', kill: resource });
      for (const socket of waiters) sendResult(socket, resource);
    }
    if (isDone(kill.state)) this.#job.outbox.add('kill', kill.id, kill.seq);
    else this.#job.outbox.addDelayed('kill', kill.id, kill.seq);
  }
}

const NO_TIMING: TargetTiming = {
  sent_ms: null,
  received_ms: null,
  first_signal_ms: null,
  last_process_gone_ms: null,
};

function sentEvent({ id }: KillRecord): NewRunEvent {
  return { type: 'kill_sent', at: new Date().toISOString(), kill: id };
}

/** The clocks of the host that stamped the request and of this one may differ. */
function sinceRequested(requestedAt: number): number {
  return Math.max(0, Date.now() - requestedAt);
}

function toTenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function idsOf(runs: readonly RunRecord[]): ReadonlySet<string> {
  return new Set(runs.map(({ id }) => id));
}

/** Whether a kill can be sent to it, rather than wait until it returns. */
function canApply(run: RunRecord): boolean {
  return run.final || isLive(run.state);
}

/** A lost run gets the kill if it returns; until then the kill does not wait for it. */
function stateOfUnsent(run: RunRecord): TargetState {
  return canApply(run) ? 'pending' : 'lost';
}

/** A run as a target of a kill that was not sent to it yet. */
function targetRecord({ id }: KillRecord, run: RunRecord): TargetRecord {
  return {
    kill: id,
    run: run.id,
    machine: run.machine,
    wrapper: run.wrapper,
    state: stateOfUnsent(run),
    sends: 0,
    acknowledged: false,
    timing: null,
    killSignal: run.killSignal,
    runState: run.state,
    exitCode: run.exitCode,
    survivors: [],
    unnamedSurvivors: false,
    related: [],
  };
}

/**
 * What a kill does at a run: what it asks for, or else the run's own; or all that the run's wrapper can do. A signal that
 * isn't in KILL_SIGNALS can only be a run's own.
 */
function killOptions(kill: KillRecord, run: RunRecord) {
  const signal = firstSignal(kill, run);
  return run.wrapper === 'saltpeter'
    ? { signal, grace_ms: SALTPETER_KILL.graceMs, include: null }
    : { signal, grace_ms: kill.graceMs ?? run.graceMs, include: kill.include };
}

/** The time of the step, by our clock and not in the future. */
function timeOf(run: RunRecord, { at_ms }: KillReport): string {
  return new Date(Math.min(Date.now(), run.startedAt + at_ms)).toISOString();
}

/** Whether the kill has nothing left to do; a lost run that returns may open it again. */
export function isDone(state: KillState): boolean {
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
    case 'sent':
      // A wrapper that reports no steps: it had the kill, and the run's end says that it applied one.
      if (run.wrapper === 'saltpeter' && run.reason === 'operator') return 'gone';
      return hasLeftProcesses(run) ? target.state : 'refused';
    case 'pending':
    case 'delivered':
      return hasLeftProcesses(run) ? target.state : 'refused';
    case 'lost':
      if (run.reason === 'operator') return 'gone';
      return hasLeftProcesses(run) ? 'pending' : 'refused';
  }
}

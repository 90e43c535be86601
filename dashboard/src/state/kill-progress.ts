/**
 * How far a kill of one run has come.
 *
 * Events and kills arrive independently, and each is true when it arrives: a step is done as soon as either says so, and
 * never before.
 */
import type { Kill, Run, RunEvent, Target } from '#protocol/api';
import { isLive, OWN_END_REASONS } from '#protocol/run-state';
import type { Related } from './related.ts';
import { hasSurvivors, NO_SURVIVORS, type Survivors } from './survivors.ts';

export const STEPS = ['requested', 'delivered', 'term', 'kill', 'gone'] as const;
export type StepName = (typeof STEPS)[number];

export interface Step {
  readonly name: StepName;
  /** - `skipped`: the run went without it */
  readonly state: 'done' | 'next' | 'open' | 'skipped';
  /** Null if no event reports it. */
  readonly at: string | null;
}

/** A kill, as far as this run is concerned. */
export interface RequestedKill {
  readonly id: string;
  readonly by: string;
  readonly reason: string | null;
  readonly signal: string;
  readonly graceMs: number;
  readonly requestedAt: string;
}

/** Why a wrapper ends a run by itself. */
export type OwnReason = (typeof OWN_END_REASONS)[number];

export interface KillProgress {
  /** The first one first; none when the wrapper ends the run for a reason of its own. */
  readonly kills: readonly RequestedKill[];
  readonly ownReason: OwnReason | null;
  readonly steps: readonly Step[];
  readonly firstSignal: string;
  /** When SIGKILL follows; null when no grace runs. */
  readonly graceEndsAt: number | null;
  /** Whether it was sent to the machine and isn't acknowledged yet. */
  readonly isUnanswered: boolean;
  readonly waitingForMachine: boolean;
  readonly survivors: Survivors;
  /** Related processes that were not killed, as last reported. */
  readonly related: readonly Related[];
  readonly outcome: 'under_way' | 'gone' | 'refused' | 'lost';
  /** Whether the run had ended before: the kill is for what it left running. */
  readonly isAfterEnd: boolean;
}

type Progress = Extract<RunEvent, { type: 'kill_progress' }>;
type Delivered = Extract<RunEvent, { type: 'kill_delivered' }>;

/** Of the latest kill: one after the run's end is for what the run left running. Null if there was none. */
export function killProgress(run: Run, events: readonly RunEvent[], all: readonly Kill[]): KillProgress | null {
  const kills = all.filter(({ job }) => job === run.job);
  const whole = () => progressOf(run, events, kills, false);
  if (!run.final || !events.some(({ type }) => type === 'left_running')) return whole();
  const sinceEnd = events.slice(events.findLastIndex(({ type }) => type === 'ended') + 1);
  const named = new Set(sinceEnd.flatMap((event) => ('kill' in event && event.kill !== null ? event.kill : [])));
  const isRequestedSince = (kill: Kill) =>
    run.ended_at !== null && Date.parse(kill.requested_at) > Date.parse(run.ended_at);
  const afterEnd = kills.filter((kill) => named.has(kill.id) || isRequestedSince(kill));
  const requests = events.filter((event) => event.type === 'kill_requested' && named.has(event.kill));
  const relevant = [...requests.filter((event) => !sinceEnd.includes(event)), ...sinceEnd];
  return progressOf(run, relevant, afterEnd, true) ?? whole();
}

function progressOf(
  run: Run,
  events: readonly RunEvent[],
  kills: readonly Kill[],
  isAfterEnd: boolean,
): KillProgress | null {
  const requested = requestedKillsOf(run, events, kills);
  const progress = events.filter((event): event is Progress => event.type === 'kill_progress');
  if (requested.length === 0 && progress.length === 0) return null;
  const targets = kills.flatMap((kill) => kill.targets.filter((target) => target.run === run.id));
  const delivered = events.filter((event): event is Delivered => event.type === 'kill_delivered');

  const first = progress.find((event) => event.phase === 'term');
  const firstSignal = first?.signal ?? requested[0]?.signal ?? 'SIGTERM';
  const reached = reachedSteps(requested, delivered, progress, targets);
  // An immediate SIGKILL is one step, not two.
  if (firstSignal === 'SIGKILL' && reached.has('term')) {
    reached.set('kill', reached.get('kill') ?? reached.get('term') ?? null);
  }
  const outcome = outcomeOf(run, reached, progress, targets, isAfterEnd);
  return {
    kills: requested,
    ownReason: requested.length > 0 ? null : ownReason(progress),
    steps: stepsOf(reached, outcome, namesOf(run, firstSignal, requested.length > 0)),
    firstSignal,
    graceEndsAt: outcome === 'under_way' ? graceEnd(run, requested, delivered, progress) : null,
    isUnanswered: outcome === 'under_way' && !reached.has('delivered') && isSent(events, targets),
    waitingForMachine: outcome === 'under_way' && !reached.has('delivered') && requested.length > 0 && !run.connected,
    survivors: progress.at(-1) ?? targets.find(hasSurvivors) ?? NO_SURVIVORS,
    related: progress.at(-1)?.related ?? targets.find(({ related }) => related.length > 0)?.related ?? [],
    outcome,
    isAfterEnd,
  };
}

function requestedKillsOf(run: Run, events: readonly RunEvent[], kills: readonly Kill[]): RequestedKill[] {
  const requested = new Map<string, RequestedKill>();
  for (const event of events) {
    if (event.type !== 'kill_requested') continue;
    const { kill: id, requested_by: by, reason, signal, grace_ms: graceMs, at: requestedAt } = event;
    requested.set(id, { id, by, reason, signal, graceMs, requestedAt });
  }
  for (const kill of kills) {
    const concerned = kill.run === run.id || kill.targets.some((target) => target.run === run.id);
    if (!concerned || requested.has(kill.id)) continue;
    const { id, requested_by: by, reason, requested_at: requestedAt } = kill;
    const isFixed = run.wrapper === 'saltpeter';
    const signal = (isFixed ? null : kill.signal) ?? run.kill_signal;
    const graceMs = (isFixed ? null : kill.grace_ms) ?? run.grace_ms;
    requested.set(id, { id, by, reason, signal, graceMs, requestedAt });
  }
  return [...requested.values()].sort((a, b) => Date.parse(a.requestedAt) - Date.parse(b.requestedAt));
}

function reachedSteps(
  requested: readonly RequestedKill[],
  delivered: readonly Delivered[],
  progress: readonly Progress[],
  targets: readonly Target[],
): Map<StepName, string | null> {
  const reached = new Map<StepName, string | null>();
  const reach = (step: StepName, at: string | null) => {
    if (!reached.has(step)) reached.set(step, at);
  };
  for (const kill of requested) reach('requested', kill.requestedAt);
  for (const event of delivered) reach('delivered', event.at);
  for (const event of progress) {
    if (event.phase !== 'refused') reach(event.phase, event.at);
  }
  for (const { state } of targets) {
    if (state === 'delivered' || state === 'term' || state === 'kill' || state === 'gone') reach('delivered', null);
    if (state === 'term' || state === 'kill' || state === 'gone') reach(state, null);
  }
  // The machine can't report progress of a kill that it doesn't have.
  if (requested.length > 0 && (reached.has('term') || reached.has('kill') || reached.has('gone')))
    reach('delivered', null);
  return reached;
}

function isSent(events: readonly RunEvent[], targets: readonly Target[]): boolean {
  return events.some(({ type }) => type === 'kill_sent') || targets.some(({ state }) => state === 'sent');
}

function outcomeOf(
  run: Run,
  reached: ReadonlyMap<StepName, string | null>,
  progress: readonly Progress[],
  targets: readonly Target[],
  isAfterEnd: boolean,
): KillProgress['outcome'] {
  if (reached.has('gone')) return 'gone';
  const refused = progress.some((event) => event.phase === 'refused') || targets.some((t) => t.state === 'refused');
  if (refused) return 'refused';
  if (isLive(run.state) || (isAfterEnd && run.left_running.length > 0)) return 'under_way';
  if (run.state === 'lost') return 'lost';
  // The run has ended, and no signal of ours was reported: it ended by itself.
  const isKilled = reached.has('term') || reached.has('kill') || run.reason === 'operator';
  return isKilled ? 'gone' : 'refused';
}

/** The steps that there can be, or of which the wrapper would tell: Saltpeter's tells only the end. */
function namesOf({ wrapper }: Run, firstSignal: string, isRequested: boolean): StepName[] {
  const tellsSignals = wrapper !== 'saltpeter';
  const isPossible: Readonly<Record<StepName, boolean>> = {
    requested: isRequested,
    delivered: isRequested,
    term: tellsSignals && firstSignal !== 'SIGKILL',
    kill: tellsSignals,
    gone: true,
  };
  return STEPS.filter((name) => isPossible[name]);
}

function stepsOf(
  reached: ReadonlyMap<StepName, string | null>,
  outcome: KillProgress['outcome'],
  names: readonly StepName[],
): Step[] {
  const next = names.find((name) => !reached.has(name));
  return names.map((name) => ({
    name,
    state: reached.has(name) ? 'done' : missingState(name, outcome, next),
    at: reached.get(name) ?? null,
  }));
}

/** The state of a step that nothing has reported. */
function missingState(name: StepName, outcome: KillProgress['outcome'], next: StepName | undefined): Step['state'] {
  switch (outcome) {
    case 'gone':
      return name === 'gone' ? 'done' : 'skipped';
    case 'refused':
      return 'skipped';
    case 'lost':
      return 'open';
    case 'under_way':
      return name === next ? 'next' : 'open';
  }
}

/** A later kill may shorten the grace period, and never restarts it. */
function graceEnd(
  run: Run,
  requested: readonly RequestedKill[],
  delivered: readonly Delivered[],
  progress: readonly Progress[],
): number | null {
  const term = progress.find((event) => event.phase === 'term');
  if (term === undefined || progress.some((event) => event.phase === 'kill' || event.phase === 'gone')) return null;
  const termAt = Date.parse(term.at);
  const ends = requested.flatMap((kill) => {
    const arrival = delivered.find((event) => event.kill === kill.id);
    if (arrival === undefined && term.kill !== kill.id) return [];
    const from = arrival === undefined ? termAt : Math.max(termAt, Date.parse(arrival.at));
    return [from + (kill.signal === 'SIGKILL' ? 0 : kill.graceMs)];
  });
  if (term.kill === null) ends.push(termAt + run.grace_ms);
  return ends.length === 0 ? null : Math.min(...ends);
}

function ownReason(progress: readonly Progress[]): OwnReason | null {
  const reasons = progress.map(({ reason }) => reason);
  return OWN_END_REASONS.find((own) => reasons.includes(own)) ?? null;
}

/**
 * How far a kill of one run has come, told from what is known to have happened.
 *
 * Events and kills reach the page by different ways. Each of them is true when it arrives, so a step is done as soon
 * as either says so, and no step is shown as done before.
 */
import type { Kill, Run, RunEvent, Target } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import type { Related } from './related.ts';
import { hasSurvivors, NO_SURVIVORS, type Survivors } from './survivors.ts';

export const STEPS = ['requested', 'delivered', 'term', 'kill', 'gone'] as const;
export type StepName = (typeof STEPS)[number];

export interface Step {
  readonly name: StepName;
  /** - `skipped`: the run went without it */
  readonly state: 'done' | 'next' | 'open' | 'skipped';
  /** When, if an event has told. */
  readonly at: string | null;
}

/** An operator's order, as far as this run is concerned. */
export interface Order {
  readonly id: string;
  readonly by: string;
  readonly reason: string | null;
  readonly signal: string;
  readonly graceMs: number;
  readonly requestedAt: string;
}

export interface KillProgress {
  /** The orders, the first one first; none when the wrapper ends the run for a reason of its own. */
  readonly orders: readonly Order[];
  readonly ownReason: 'timeout' | 'idle_timeout' | 'offline_limit' | 'local_signal' | null;
  readonly steps: readonly Step[];
  readonly firstSignal: string;
  /** When SIGKILL follows; null when no grace runs. */
  readonly graceEndsAt: number | null;
  /** Whether it was sent to the machine, which has not answered yet. */
  readonly isUnanswered: boolean;
  readonly waitingForMachine: boolean;
  readonly survivors: Survivors;
  /** Related processes that were not killed, as last told. */
  readonly related: readonly Related[];
  readonly outcome: 'under_way' | 'gone' | 'refused' | 'lost';
  /** Whether the run had ended: then it is for what it left running. */
  readonly isAfterEnd: boolean;
}

type Progress = Extract<RunEvent, { type: 'kill_progress' }>;
type Delivered = Extract<RunEvent, { type: 'kill_delivered' }>;

/** Of the kill that is under way, or was last: what a run has left running is ended by another one than the run. */
export function killProgress(run: Run, events: readonly RunEvent[], all: readonly Kill[]): KillProgress | null {
  const kills = all.filter(({ job }) => job === run.job);
  const whole = () => progressOf(run, events, kills, false);
  if (!run.final || !events.some(({ type }) => type === 'left_running')) return whole();
  const sinceEnd = events.slice(events.findLastIndex(({ type }) => type === 'ended') + 1);
  const named = new Set(sinceEnd.flatMap((event) => ('kill' in event && event.kill !== null ? event.kill : [])));
  const orderedSince = (kill: Kill) =>
    run.ended_at !== null && Date.parse(kill.requested_at) > Date.parse(run.ended_at);
  const afterEnd = kills.filter((kill) => named.has(kill.id) || orderedSince(kill));
  const orders = events.filter((event) => event.type === 'kill_requested' && named.has(event.kill));
  const told = [...orders.filter((event) => !sinceEnd.includes(event)), ...sinceEnd];
  return progressOf(run, told, afterEnd, true) ?? whole();
}

function progressOf(
  run: Run,
  events: readonly RunEvent[],
  kills: readonly Kill[],
  isAfterEnd: boolean,
): KillProgress | null {
  const orders = ordersOf(run, events, kills);
  const progress = events.filter((event): event is Progress => event.type === 'kill_progress');
  if (orders.length === 0 && progress.length === 0) return null;
  const targets = kills.flatMap((kill) => kill.targets.filter((target) => target.run === run.id));
  const delivered = events.filter((event): event is Delivered => event.type === 'kill_delivered');

  const first = progress.find((event) => event.phase === 'term');
  const firstSignal = first?.signal ?? orders[0]?.signal ?? 'SIGTERM';
  const reached = reachedSteps(orders, delivered, progress, targets);
  // An order to send SIGKILL at once is one step, not two.
  if (firstSignal === 'SIGKILL' && reached.has('term')) {
    reached.set('kill', reached.get('kill') ?? reached.get('term') ?? null);
  }
  const outcome = outcomeOf(run, reached, progress, targets, isAfterEnd);
  return {
    orders,
    ownReason: orders.length > 0 ? null : ownReason(progress),
    steps: stepsOf(reached, outcome, firstSignal === 'SIGKILL', orders.length > 0),
    firstSignal,
    graceEndsAt: outcome === 'under_way' ? graceEnd(run, orders, delivered, progress) : null,
    isUnanswered: outcome === 'under_way' && !reached.has('delivered') && isSent(events, targets),
    waitingForMachine: outcome === 'under_way' && !reached.has('delivered') && orders.length > 0 && !run.connected,
    survivors: progress.at(-1) ?? targets.find(hasSurvivors) ?? NO_SURVIVORS,
    related: progress.at(-1)?.related ?? targets.find(({ related }) => related.length > 0)?.related ?? [],
    outcome,
    isAfterEnd,
  };
}

function ordersOf(run: Run, events: readonly RunEvent[], kills: readonly Kill[]): Order[] {
  const orders = new Map<string, Order>();
  for (const event of events) {
    if (event.type !== 'kill_requested') continue;
    const { kill: id, requested_by: by, reason, signal, grace_ms: graceMs, at: requestedAt } = event;
    orders.set(id, { id, by, reason, signal, graceMs, requestedAt });
  }
  for (const kill of kills) {
    const concerned = kill.run === run.id || kill.targets.some((target) => target.run === run.id);
    if (!concerned || orders.has(kill.id)) continue;
    const { id, requested_by: by, reason, requested_at: requestedAt } = kill;
    const signal = kill.signal ?? run.kill_signal;
    const graceMs = kill.grace_ms ?? run.grace_ms;
    orders.set(id, { id, by, reason, signal, graceMs, requestedAt });
  }
  return [...orders.values()].sort((a, b) => Date.parse(a.requestedAt) - Date.parse(b.requestedAt));
}

function reachedSteps(
  orders: readonly Order[],
  delivered: readonly Delivered[],
  progress: readonly Progress[],
  targets: readonly Target[],
): Map<StepName, string | null> {
  const reached = new Map<StepName, string | null>();
  const reach = (step: StepName, at: string | null) => {
    if (!reached.has(step)) reached.set(step, at);
  };
  for (const order of orders) reach('requested', order.requestedAt);
  for (const event of delivered) reach('delivered', event.at);
  for (const event of progress) {
    if (event.phase !== 'refused') reach(event.phase, event.at);
  }
  for (const { state } of targets) {
    if (state === 'delivered' || state === 'term' || state === 'kill' || state === 'gone') reach('delivered', null);
    if (state === 'term' || state === 'kill' || state === 'gone') reach(state, null);
  }
  // Whatever the machine has told of an order, it must have got it.
  if (orders.length > 0 && (reached.has('term') || reached.has('kill') || reached.has('gone')))
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
  // The run has ended, and no signal of ours was told of: it ended by itself.
  return reached.has('term') || reached.has('kill') ? 'gone' : 'refused';
}

function stepsOf(
  reached: ReadonlyMap<StepName, string | null>,
  outcome: KillProgress['outcome'],
  killOnly: boolean,
  ordered: boolean,
): Step[] {
  const names = STEPS.filter(
    (name) => !(killOnly && name === 'term') && (ordered || (name !== 'requested' && name !== 'delivered')),
  );
  const next = names.find((name) => !reached.has(name));
  return names.map((name) => ({
    name,
    state: reached.has(name) ? 'done' : missingState(name, outcome, next),
    at: reached.get(name) ?? null,
  }));
}

/** How it is with a step of which nothing was told. */
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

/** A later order may shorten the grace that runs, and never starts it again. */
function graceEnd(
  run: Run,
  orders: readonly Order[],
  delivered: readonly Delivered[],
  progress: readonly Progress[],
): number | null {
  const term = progress.find((event) => event.phase === 'term');
  if (term === undefined || progress.some((event) => event.phase === 'kill' || event.phase === 'gone')) return null;
  const termAt = Date.parse(term.at);
  const ends = orders.flatMap((order) => {
    const arrival = delivered.find((event) => event.kill === order.id);
    if (arrival === undefined && term.kill !== order.id) return [];
    const from = arrival === undefined ? termAt : Math.max(termAt, Date.parse(arrival.at));
    return [from + (order.signal === 'SIGKILL' ? 0 : order.graceMs)];
  });
  if (term.kill === null) ends.push(termAt + run.grace_ms);
  return ends.length === 0 ? null : Math.min(...ends);
}

function ownReason(progress: readonly Progress[]): KillProgress['ownReason'] {
  for (const { reason } of progress) {
    if (reason === 'timeout' || reason === 'idle_timeout' || reason === 'offline_limit' || reason === 'local_signal') {
      return reason;
    }
  }
  return null;
}

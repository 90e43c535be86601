/**
 * How far kills have come, as the control plane reports them. Pure.
 *
 * A step is done only when a machine has said so: it is in the target's state or timing. Kills arrive in any order and
 * repeatedly, from responses and from the watch socket; the one with the highest `seq` counts.
 */
import type { Kill, Target } from '#protocol/api';
import { isTargetEnded, type TargetState } from '#protocol/kill';
import { hasSurvivors } from '../kill-text.ts';

/** When a kill passed each step at one run, in milliseconds since it was requested; null: it hasn't, as far as is known. */
export interface StepTimes {
  readonly sent: number | null;
  /** The first signal. */
  readonly signal: number | null;
  /** SIGKILL after another signal. */
  readonly sigkill: number | null;
  /** What it ended with: all processes have exited, some survived, the run had ended before, or contact was lost. */
  readonly end: number | null;
}

export interface TargetProgress extends Target {
  readonly kill: string;
  readonly job: string;
  /** The time between the signals that the kill asks for; null: the run's own. */
  readonly graceMs: number | null;
  readonly times: StepTimes;
  /** How long its reports take to get here: what has no time of its own happened so long before it was heard of. */
  readonly delayMs: number;
}

export type StepName = 'waiting' | keyof StepTimes;

export interface Step {
  readonly name: StepName;
  readonly target: TargetProgress;
  readonly atMs: number;
}

const NO_TIMES: StepTimes = { sent: null, signal: null, sigkill: null, end: null };
const STEPS = ['sent', 'signal', 'sigkill', 'end'] as const;

export class KillProgress {
  readonly #kills = new Map<string, Kill>();
  readonly #targets = new Map<string, TargetProgress>();

  /**
   * Takes a kill as it is now.
   *
   * @param elapsedMs the time since the kill was requested, by our own clock: when a step happened that has no time
   * @returns what is new
   */
  take(kill: Kill, elapsedMs: number): readonly Step[] {
    const known = this.#kills.get(kill.id);
    if (known !== undefined && known.seq > kill.seq) return [];
    this.#kills.set(kill.id, kill);
    return kill.targets.flatMap((target) => this.#takeTarget(kill, target, elapsedMs));
  }

  #takeTarget(kill: Kill, target: Target, elapsedMs: number): Step[] {
    const key = `${kill.id}/${target.run}`;
    const before = this.#targets.get(key);
    const signalledMs = target.timing?.first_signal_ms ?? null;
    // Only of a report of this very step: one that was missed took longer.
    const isFirst = signalledMs !== null && target.state === 'term' && (before?.times.signal ?? null) === null;
    const delayMs = isFirst ? Math.max(0, elapsedMs - signalledMs) : (before?.delayMs ?? 0);
    const times = timesOf(target, before?.times ?? NO_TIMES, elapsedMs - delayMs);
    const now = { ...target, kill: kill.id, job: kill.job, graceMs: kill.grace_ms, times, delayMs };
    this.#targets.set(key, now);
    const isWaiting = target.state === 'pending' && before?.state !== 'pending';
    const waiting = isWaiting ? [{ name: 'waiting', target: now, atMs: elapsedMs } as const] : [];
    // A time that a later report corrects is not another step. A lost run that returns ends again.
    const steps = STEPS.flatMap((name) => {
      const atMs = times[name];
      return atMs === null || (before?.times[name] ?? null) !== null ? [] : [{ name, target: now, atMs }];
    });
    return [...waiting, ...steps];
  }

  has(id: string): boolean {
    return this.#kills.has(id);
  }

  get kills(): readonly Kill[] {
    return [...this.#kills.values()];
  }

  get targets(): readonly TargetProgress[] {
    return [...this.#targets.values()];
  }

  /** The kills that aren't over. One without a matching run has nothing to wait for until one connects. */
  get open(): readonly Kill[] {
    return this.kills.filter(
      ({ state, found_nothing }) => state !== 'settled' && state !== 'expired' && !found_nothing,
    );
  }
}

/** A report may have passed several steps; one that isn't reported stays open. */
function timesOf({ state, signal, timing }: Target, before: StepTimes, elapsedMs: number): StepTimes {
  const isSent = timing?.sent_ms != null || isAtLeast(state, 'sent');
  const isSignalled = timing?.first_signal_ms != null || state === 'term' || state === 'kill';
  const isKilled = state === 'kill' && signal !== 'SIGKILL';
  return {
    sent: isSent ? (timing?.sent_ms ?? before.sent ?? elapsedMs) : null,
    signal: isSignalled ? (timing?.first_signal_ms ?? before.signal ?? elapsedMs) : before.signal,
    sigkill: before.sigkill ?? (isKilled ? elapsedMs : null),
    end: isTargetEnded(state) ? (lastExit(timing, state) ?? before.end ?? elapsedMs) : null,
  };
}

function lastExit(timing: Target['timing'], state: TargetState): number | null {
  return state === 'gone' ? (timing?.last_process_gone_ms ?? null) : null;
}

/** Whether a target that is not ended by itself has come this far. */
function isAtLeast(state: TargetState, step: 'sent'): boolean {
  return state === step || state === 'delivered' || state === 'term' || state === 'kill' || state === 'gone';
}

/** Where a target ended, or that it hasn't. */
export type Outcome = 'open' | 'gone' | 'survived' | 'refused' | 'lost';

export function outcomeOf(target: Target): Outcome {
  switch (target.state) {
    case 'pending':
    case 'sent':
    case 'delivered':
    case 'term':
    case 'kill':
      return 'open';
    case 'gone':
      return hasSurvivors(target) ? 'survived' : 'gone';
    case 'refused':
    case 'lost':
      return target.state;
  }
}

/** How many targets there are of each outcome. */
export function countOutcomes(targets: readonly Target[]): Readonly<Record<Outcome, number>> {
  const counts = { open: 0, gone: 0, survived: 0, refused: 0, lost: 0 };
  for (const target of targets) counts[outcomeOf(target)] += 1;
  return counts;
}

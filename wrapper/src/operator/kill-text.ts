/** Kills in words. */
import type { Kill, Target } from '#protocol/api';
import type { TargetState } from '#protocol/kill';
import { formatDuration } from '#shared/format-duration';
import type { Style } from './terminal.ts';

/** What it applies to: `run 01J…`, `instance x on db-*`, `all runs`. */
export function killScope({ run, instance, machine }: Pick<Kill, 'run' | 'instance' | 'machine'>): string {
  if (run !== null) return `run ${run}`;
  const parts = [instance === null ? [] : [`instance ${instance}`], machine === null ? [] : [`on ${machine}`]].flat();
  return parts.length === 0 ? 'all runs' : parts.join(' ');
}

/** How: `SIGTERM, then SIGKILL after 5s`. */
export function killManner({ signal, grace_ms, include }: Pick<Kill, 'signal' | 'grace_ms' | 'include'>): string {
  const also = include === null ? '' : '; also related processes';
  return `${signalsText(signal, grace_ms)}${also}`;
}

/** Null for either: each run has its own. */
export function signalsText(signal: string | null, graceMs: number | null): string {
  if (signal === 'SIGKILL') return 'SIGKILL at once';
  if (signal === null && graceMs === null) return 'each run’s own signal and grace period';
  const after = graceMs === null ? 'each run’s own grace period' : formatDuration(graceMs);
  return `${signal ?? 'each run’s own signal'}, then SIGKILL ${graceMs === 0 ? 'at once' : `after ${after}`}`;
}

/** Its state, and what qualifies it. */
export function killStateText({
  state,
  found_nothing,
  targets,
}: Pick<Kill, 'state' | 'found_nothing' | 'targets'>): string {
  if (found_nothing && state !== 'expired') return `${state} (nothing to kill)`;
  if (targets.some(hasSurvivors)) return `${state} (survivors)`;
  return state === 'settled' && targets.some((target) => target.state === 'lost') ? 'settled (lost runs)' : state;
}

export function styleOfKill({ state, targets }: Pick<Kill, 'state' | 'targets'>): Style | null {
  if (targets.some(hasSurvivors)) return 'red';
  return state === 'settled' ? 'green' : 'yellow';
}

export function hasSurvivors({
  survivors,
  unnamed_survivors,
}: Pick<Target, 'survivors' | 'unnamed_survivors'>): boolean {
  return survivors.length > 0 || unnamed_survivors;
}

const TARGET_TEXTS: Readonly<Record<TargetState, string>> = {
  pending: 'pending: the machine is disconnected',
  sent: 'sent',
  delivered: 'delivered',
  term: 'signal sent',
  kill: 'SIGKILL sent',
  gone: 'ended',
  refused: 'had already ended',
  lost: 'lost: killed if it returns',
};

/** How far the kill has come at one run. */
export function targetText(target: Target): string {
  const text = target.state === 'term' ? `${target.signal ?? 'signal'} sent` : TARGET_TEXTS[target.state];
  if (!hasSurvivors(target)) return text;
  const pids = target.survivors.length > 0 ? ` ${target.survivors.join(', ')}` : '';
  return `${text}; survived:${pids}${target.unnamed_survivors ? ' (and unknown processes)' : ''}`;
}

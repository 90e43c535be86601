/** The labels of kills and their targets. Pure. */
import type { Kill, Target } from '#protocol/api';
import type { KillState, TargetState } from '#protocol/kill';
import { formatDuration } from '#shared/format-duration';
import { type Batch, jobCount, runCount } from '../state/batches.ts';
import { relatedTexts } from '../state/related.ts';
import { hasSurvivors, survivorsText } from '../state/survivors.ts';
import { countText } from './quantity.ts';

/** The parts of a kill that show its progress. */
type Progressed = Pick<Kill, 'state' | 'targets' | 'found_nothing'>;

const ENDED_BEFORE = 'Nothing to kill: everything had already ended.';

/** Whether it was looked for runs, and nothing is there to be ended. */
export function hasFoundNothing({ state, found_nothing }: Pick<Kill, 'state' | 'found_nothing'>): boolean {
  return found_nothing && state !== 'expired';
}

/** What the state means for this very kill. */
export function meaningOf(kill: Progressed): string {
  const { state, targets } = kill;
  switch (state) {
    case 'queued':
      if (hasFoundNothing(kill)) {
        return 'No matching run right now. Runs that started earlier and reconnect will be killed.';
      }
      if (targets.length === 0) return 'Queued: not matched with runs yet.';
      return isSent({ state, targets })
        ? 'Sent: no machine has confirmed it yet.'
        : 'Queued: the target machines are disconnected; it will be delivered when they reconnect.';
    case 'delivered':
      return 'In progress: delivered, and some runs are still ending.';
    case 'settled':
      return hasFoundNothing(kill) ? ENDED_BEFORE : settledMeaning(targets);
    case 'expired':
      return 'Expired: no matching run connected in time. It will not take effect.';
  }
}

function settledMeaning(targets: readonly Target[]): string {
  if (targets.some(hasSurvivors)) {
    return 'Done, but some processes survived.';
  }
  const lost = targets.filter(({ state }) => state === 'lost').length;
  if (lost === 0) return 'Done: every targeted run has ended.';
  const others = lost === targets.length ? '' : ' Every other targeted run has ended.';
  return lost === 1
    ? `1 run is lost; it will be killed if it reconnects.${others}`
    : `${lost} runs are lost; they will be killed if they reconnect.${others}`;
}

export const KILL_STATE_LABELS: Readonly<Record<KillState, string>> = {
  queued: 'queued',
  delivered: 'in progress',
  settled: 'done',
  expired: 'expired',
};

/** Whether it went out to a machine and no machine has answered yet. */
function isSent({ state, targets }: Pick<Kill, 'state' | 'targets'>): boolean {
  return state === 'queued' && targets.some((target) => target.state === 'sent');
}

/** A kill's state in a word or two: one that is kept for lost runs is not over. */
export function killText(kill: Progressed): string {
  const { state, targets } = kill;
  if (hasFoundNothing(kill)) return state === 'settled' ? 'nothing to kill' : 'nothing running';
  const isKept = state === 'settled' && targets.some((target) => target.state === 'lost');
  if (isKept) return 'waiting for lost runs';
  return isSent({ state, targets }) ? 'sent' : KILL_STATE_LABELS[state];
}

export const TARGET_STATE_LABELS: Readonly<Record<TargetState, string>> = {
  pending: 'waiting',
  sent: 'sent',
  delivered: 'delivered',
  term: 'signal sent',
  kill: 'SIGKILL sent',
  gone: 'ended',
  refused: 'already ended',
  lost: 'lost',
};

export function targetMeaning(target: Target): string {
  switch (target.state) {
    case 'pending':
      return 'Machine disconnected; will be delivered when it reconnects.';
    case 'sent':
      return 'Sent; waiting for the machine to confirm.';
    case 'delivered':
      return 'Delivered to the machine.';
    case 'term':
      return `${target.signal ?? 'First signal'} sent to all processes; grace period running.`;
    case 'kill':
      return 'SIGKILL sent to the remaining processes.';
    case 'gone':
      if (target.wrapper === 'saltpeter')
        return 'The run ended. Saltpeter’s wrapper doesn’t report surviving processes.';
      return (
        (hasSurvivors(target) ? `Processes survived: ${survivorsText(target)}.` : 'All processes ended.') +
        relatedMeaning(target)
      );
    case 'refused':
      return 'Already ended when the kill arrived.';
    case 'lost':
      return 'Contact lost; it may still be running. It will be killed if it reconnects.';
  }
}

/** What was left alone; of very many runs not all of that is named in the kill. */
function relatedMeaning({ related, related_count }: Target): string {
  if (related_count === 0) return '';
  const what = related.length > 0 ? relatedTexts(related) : `${related_count} processes, listed on the run’s page`;
  return ` Related, not killed: ${what}.`;
}

/** What it is for. */
export function matchText(kill: Pick<Kill, 'run' | 'instance' | 'machine' | 'targets'>): string {
  const { run, instance, machine, targets } = kill;
  if (run !== null) {
    const where = targets.find((target) => target.run === run)?.machine;
    return where === undefined ? `one run, ${run}` : `one run on ${where}`;
  }
  const parts = [
    instance === null ? null : `instance ${instance}`,
    machine === null ? null : `on ${machinesText(machine)}`,
  ];
  const told = parts.filter((part) => part !== null);
  return told.length === 0 ? 'all runs, all machines' : told.join(', ');
}

/** What it has found, as short as it can be said: `web-1`, `5 runs`; before that what it is for. */
export function hitText(kill: Pick<Kill, 'run' | 'instance' | 'machine' | 'targets'>): string {
  const [first, ...others] = kill.targets;
  if (first === undefined) return matchText(kill);
  return others.length === 0 ? `the run on ${first.machine}` : countText(kill.targets.length, 'run');
}

/** `30 runs in 12 jobs`, `30 runs of backup`. */
export function batchText(batch: Batch): string {
  const runs = runCount(batch);
  const jobs = jobCount(batch);
  const what = runs === 0 ? countText(batch.kills.length, 'kill') : countText(runs, 'run');
  return jobs === 1 ? `${what} of ${batch.kills[0]?.job}` : `${what} in ${countText(jobs, 'job')}`;
}

function machinesText(selector: string): string {
  return selector.split(',').join(', ');
}

/** `SIGTERM, then SIGKILL after 5s`. Null is each run’s own. */
export function optionsText(
  signal: Kill['signal'],
  graceMs: Kill['grace_ms'],
  include: Kill['include'] = null,
): string {
  return include === null
    ? signalsText(signal, graceMs)
    : `${signalsText(signal, graceMs)}, including related processes`;
}

function signalsText(signal: Kill['signal'], graceMs: Kill['grace_ms']): string {
  if (signal === 'SIGKILL') return 'SIGKILL immediately';
  if (signal === null && graceMs === null) return 'each run’s own signal and grace period';
  const first = signal ?? 'each run’s own signal';
  if (graceMs === null) return `${first}, then SIGKILL after each run’s own grace period`;
  return graceMs === 0
    ? `${first}, then SIGKILL immediately`
    : `${first}, then SIGKILL after ${formatDuration(graceMs)}`;
}

/** A kill's state at a glance, as a colour. */
export type KillTone = 'waiting' | 'active' | 'good' | 'warn' | 'bad';

export function toneOf({ state, targets }: Pick<Kill, 'state' | 'targets'>): KillTone {
  if (targets.some(hasSurvivors)) return 'bad';
  switch (state) {
    case 'queued':
      return 'waiting';
    case 'delivered':
      return 'active';
    case 'settled':
      return targets.some((target) => target.state === 'lost') ? 'warn' : 'good';
    case 'expired':
      return 'warn';
  }
}

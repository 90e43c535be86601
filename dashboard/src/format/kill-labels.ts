/** Kills and what becomes of them, in words for somebody who was woken by one. Pure. */

import type { Kill, Target } from '#protocol/api';
import type { KillState, TargetState } from '#protocol/kill';
import { formatDuration } from '#shared/format-duration';
import { type Batch, jobCount, runCount } from '../state/batches.ts';
import { relatedTexts } from '../state/related.ts';
import { hasSurvivors, survivorsText } from '../state/survivors.ts';
import { countText } from './quantity.ts';

/** As much of a kill as says how it stands with it. */
type Progressed = Pick<Kill, 'state' | 'targets' | 'found_nothing'>;

const ENDED_BEFORE = 'Nothing that it is for was running any more: it had ended before.';

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
        return 'Nothing that it is for runs now. Should a run that started before it come back in touch, it is ended then.';
      }
      if (targets.length === 0) return 'Stored; no run was looked for yet.';
      return isSent({ state, targets })
        ? 'Stored and sent; no machine has answered yet.'
        : 'Stored; no machine has it yet: those it is for are out of touch, and get it when they are back.';
    case 'delivered':
      return 'At least one machine has it, and not everything that it is for has ended.';
    case 'settled':
      return hasFoundNothing(kill) ? ENDED_BEFORE : settledMeaning(targets);
    case 'expired':
      return 'Nobody came for it in time. It reaches nobody any more.';
  }
}

function settledMeaning(targets: readonly Target[]): string {
  if (targets.some(hasSurvivors)) {
    return 'It is over, but some processes could not be ended.';
  }
  const lost = targets.filter(({ state }) => state === 'lost').length;
  if (lost === 0) return 'Everything that it is for has ended.';
  const others = lost === targets.length ? '' : ' Everything else that it is for has ended.';
  return `Of ${countText(lost, 'run')} nobody knows the end: what comes back is killed then.${others}`;
}

export const KILL_STATE_WORDS: Readonly<Record<KillState, string>> = {
  queued: 'queued',
  delivered: 'under way',
  settled: 'settled',
  expired: 'expired',
};

/** Whether it went out to a machine and no machine has answered yet. */
function isSent({ state, targets }: Pick<Kill, 'state' | 'targets'>): boolean {
  return state === 'queued' && targets.some((target) => target.state === 'sent');
}

/** A kill's state in a word or two: one that is kept for lost runs is not over. */
export function killText(kill: Progressed): string {
  const { state, targets } = kill;
  if (hasFoundNothing(kill)) return state === 'settled' ? 'had ended' : 'nothing runs';
  const isKept = state === 'settled' && targets.some((target) => target.state === 'lost');
  if (isKept) return 'kept for what is lost';
  return isSent({ state, targets }) ? 'sent' : KILL_STATE_WORDS[state];
}

export const TARGET_STATE_WORDS: Readonly<Record<TargetState, string>> = {
  pending: 'waiting',
  sent: 'sent',
  delivered: 'delivered',
  term: 'signal sent',
  kill: 'SIGKILL sent',
  gone: 'gone',
  refused: 'had already ended',
  lost: 'lost',
};

export function targetMeaning(target: Target): string {
  switch (target.state) {
    case 'pending':
      return 'The machine is out of touch; the kill goes out as soon as it is back.';
    case 'sent':
      return 'The kill was sent; the machine has not answered yet.';
    case 'delivered':
      return 'The machine has the kill.';
    case 'term':
      return `${target.signal ?? 'The first signal'} was sent to everything that the command has started; the grace runs.`;
    case 'kill':
      return 'SIGKILL was sent to what was left.';
    case 'gone':
      return (
        (hasSurvivors(target) ? `Could not be ended: ${survivorsText(target)}.` : 'Nothing of it is left.') +
        relatedMeaning(target)
      );
    case 'refused':
      return 'The run had ended before the kill came.';
    case 'lost':
      return 'No sign of life: nobody knows whether it still runs. If it comes back, it is killed.';
  }
}

/** What was left alone; of very many runs not all of that is named in the kill. */
function relatedMeaning({ related, related_count }: Target): string {
  if (related_count === 0) return '';
  const what = related.length > 0 ? relatedTexts(related) : `${related_count} processes, named on the page of the run`;
  return ` Related, not killed: ${what}.`;
}

/** What it is for. */
export function matchText(kill: Pick<Kill, 'run' | 'instance' | 'machine' | 'targets'>): string {
  const { run, instance, machine, targets } = kill;
  if (run !== null) {
    const where = targets.find((target) => target.run === run)?.machine;
    return where === undefined ? `one run, ${run}` : `one run, on ${where}`;
  }
  const parts = [
    instance === null ? null : `instance ${instance}`,
    machine === null ? null : `on ${machinesText(machine)}`,
  ];
  const told = parts.filter((part) => part !== null);
  return told.length === 0 ? 'all of it, on all machines' : told.join(', ');
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

/** `SIGTERM, and SIGKILL after 5s`. Null is each run’s own. */
export function mannerText(signal: Kill['signal'], graceMs: Kill['grace_ms'], include: Kill['include'] = null): string {
  return include === null ? signalsText(signal, graceMs) : `${signalsText(signal, graceMs)}; also what is only related`;
}

function signalsText(signal: Kill['signal'], graceMs: Kill['grace_ms']): string {
  if (signal === 'SIGKILL') return 'SIGKILL at once';
  if (signal === null && graceMs === null) return 'each run’s own signal and grace';
  const first = signal ?? 'each run’s own signal';
  if (graceMs === null) return `${first}, and SIGKILL after each run’s own grace`;
  return graceMs === 0
    ? `${first}, and SIGKILL right after it`
    : `${first}, and SIGKILL after ${formatDuration(graceMs)}`;
}

/** How it stands with it, for whoever only glances. */
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

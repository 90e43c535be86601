/** What a mark says to those who don't see it, and in its tooltip. Pure. */

import type { Run } from '#protocol/api';
import { isBadEnd, isLive, type RunState } from '#protocol/run-state';
import { formatDuration } from '#shared/format-duration';
import { countText } from '../../format/quantity.ts';
import { STATE_WORDS } from '../../format/run-state-labels.ts';
import type { Mark } from './lane-layout.ts';
import { clockText, dayText, periodText } from './time-axis.ts';
import type { Period } from './view.ts';

const known = new WeakMap<Mark, string>();

/** Of a live run not how long it has taken: that would be said again every second. */
export function markText(mark: Mark): string {
  const text = known.get(mark) ?? (mark.kind === 'run' ? runText(mark.run) : groupText(mark.runs));
  known.set(mark, text);
  return text;
}

function runText(run: Run): string {
  const start = Date.parse(run.started_at);
  const end = run.ended_at === null ? null : Date.parse(run.ended_at);
  return [
    `${run.job} on ${run.machine}: ${stateText(run)}`,
    `started ${dayText(start)} ${clockText(start)}`,
    ...(end === null ? [] : [`took ${formatDuration(end - start)}`]),
    ...(run.exit_code === null ? [] : [`exit code ${run.exit_code}`]),
  ].join(', ');
}

function groupText(runs: readonly Run[]): string {
  return `${countText(runs.length, 'run')}: ${statesText(runs)}, ${periodText(startsOf(runs))}`;
}

export function stateText(run: Run): string {
  const word = STATE_WORDS[run.state];
  if (isLive(run.state)) return run.connected ? word : `${word}, out of touch`;
  return run.state === 'lost' && !run.final ? `${word}, may come back` : word;
}

/** `10 succeeded, 2 failed`, the most first. */
export function statesText(runs: readonly Run[]): string {
  const counts = new Map<RunState, number>();
  for (const { state } of runs) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([state, count]) => `${count} ${STATE_WORDS[state]}`)
    .join(', ');
}

/** Whether somebody may have to look at it. */
export function isBad({ state }: Run): boolean {
  return isBadEnd(state);
}

/** From the first start to the last. */
export function startsOf(runs: readonly Run[]): Period {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { started_at } of runs) {
    const start = Date.parse(started_at);
    from = Math.min(from, start);
    to = Math.max(to, start);
  }
  return { from, to };
}

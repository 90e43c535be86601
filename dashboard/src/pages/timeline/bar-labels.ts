/** What a bar says: to a screen reader, and in its tip. Pure. */
import type { Run } from '#protocol/api';
import { isBadEnd, isLive, type RunState } from '#protocol/run-state';
import { formatDuration } from '#shared/format-duration';
import { countText } from '../../format/quantity.ts';
import { PROMINENCE, STATE_LABELS } from '../../format/run-state-labels.ts';
import type { Bar } from './layout.ts';
import { clockText, dayText, periodText } from './time-axis.ts';
import type { Period } from './view.ts';

/** Without the duration of a live run: a screen reader would repeat it every second. */
export function barLabel({ runs }: Bar): string {
  if (runs.length > 1) return `${countText(runs.length, 'run')}: ${statesText(runs)}, ${periodText(startsOf(runs))}`;
  const [run] = runs;
  const start = Date.parse(run.started_at);
  const tookMs = run.ended_at === null ? null : Date.parse(run.ended_at) - start;
  return [
    `${run.job} on ${run.machine}: ${stateText(run)}`,
    `started ${dayText(start)} ${clockText(start)}`,
    ...(tookMs === null ? [] : [`took ${tookMs < 1000 ? `${Math.max(0, tookMs)} ms` : formatDuration(tookMs)}`]),
    ...(run.exit_code === null ? [] : [`exit code ${run.exit_code}`]),
  ].join(', ');
}

function stateText(run: Run): string {
  const note = uncertaintyText(run);
  return note === null ? STATE_LABELS[run.state] : `${STATE_LABELS[run.state]}, ${note}`;
}

/** What isn't certain about the state of a run; null when it is certain. */
export function uncertaintyText(run: Run): string | null {
  if (isLive(run.state)) return run.connected ? null : 'disconnected';
  return run.state === 'lost' && !run.final ? 'may reconnect' : null;
}

/** `10 succeeded, 2 failed`, the most frequent first. */
export function statesText(runs: readonly Run[]): string {
  return [...Map.groupBy(runs, ({ state }) => state)]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([state, { length }]) => `${length} ${STATE_LABELS[state]}`)
    .join(', ');
}

/** The state that matters most among runs. */
export function worstOf(runs: readonly Run[]): RunState {
  return runs.reduce<RunState>(
    (worst, { state }) => (PROMINENCE[state] > PROMINENCE[worst] ? state : worst),
    'skipped',
  );
}

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

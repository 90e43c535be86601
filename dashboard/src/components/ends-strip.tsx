import './ends-strip.css';
import type { RunEnd } from '#protocol/api';
import type { RunState } from '#protocol/run-state';
import { STATE_LABELS } from '../format/run-state-labels.ts';

/** As many marks as there is room for, in units of the drawing. */
const MARKS = 20;
const STEP = 6;
const WIDTH = 4;
const HEIGHT = 16;
/** As the style has it. */
const OUTLINE = 1.5;

/** A job's last runs as small marks, the newest on the right, by height and shape as well as by colour. */
export function EndsStrip({ ends }: { readonly ends: readonly RunEnd[] }) {
  const shown = ends.slice(0, MARKS);
  if (shown.length === 0) return <span class="ends" />;
  return (
    <svg
      class="ends"
      viewBox={`0 0 ${shown.length * STEP} ${HEIGHT}`}
      width={shown.length * STEP}
      height={HEIGHT}
      role="img"
      aria-label={endsText(shown)}
    >
      <title>{endsText(shown)}</title>
      {[...new Set(shown.map(({ state }) => state))].map((state) => (
        <path key={state} class={isHollow(state) ? 'end hollow' : 'end'} data-state={state} d={marksOf(state, shown)} />
      ))}
    </svg>
  );
}

/** All marks of one state in one path: a page shows hundreds of them. */
function marksOf(state: RunState, ends: readonly RunEnd[]): string {
  const inset = isHollow(state) ? OUTLINE / 2 : 0;
  const width = WIDTH - 2 * inset;
  const height = HEIGHTS[state] - 2 * inset;
  const top = HEIGHT - HEIGHTS[state] + inset;
  return ends
    .map((end, index) => (end.state === state ? (ends.length - 1 - index) * STEP + 1 + inset : null))
    .filter((x) => x !== null)
    .map((x) => `M${x} ${top}h${width}v${height}h${-width}z`)
    .join('');
}

function isHollow(state: RunState): boolean {
  return state === 'lost' || state === 'timed_out';
}

const HEIGHTS: Readonly<Record<RunState, number>> = {
  waiting: 4,
  running: 4,
  killing: 4,
  succeeded: 7,
  killed: 11,
  failed: 16,
  errored: 16,
  timed_out: 16,
  lost: 16,
  skipped: 7,
};

/** `Last 20 runs: 18 succeeded, 2 failed; most recent: failed`. */
export function endsText(ends: readonly RunEnd[]): string {
  const counts = new Map<RunState, number>();
  for (const { state } of ends) counts.set(state, (counts.get(state) ?? 0) + 1);
  const told = [...counts].map(([state, count]) => `${count} ${STATE_LABELS[state]}`).join(', ');
  const [last] = ends;
  return ends.length === 1 || last === undefined
    ? `1 run: ${told}`
    : `Last ${ends.length} runs: ${told}; most recent: ${STATE_LABELS[last.state]}`;
}

import type { RunEnd } from '#protocol/api';
import type { RunState } from '#protocol/run-state';
import { STATE_WORDS } from './run-state-words.ts';

/** As many marks as there is room for, in units of the drawing. */
const MARKS = 20;
const STEP = 6;
const WIDTH = 4;
const HEIGHT = 16;

/** A job's last ends as small marks, the newest on the right. Height and shape tell as much as colour does. */
export function EndsStrip({ ends }: { readonly ends: readonly RunEnd[] }) {
  const shown = ends.slice(0, MARKS);
  if (shown.length === 0) return <span class="ends" />;
  return (
    <svg
      class="ends"
      viewBox={`0 0 ${MARKS * STEP} ${HEIGHT}`}
      width={MARKS * STEP}
      height={HEIGHT}
      role="img"
      aria-label={endsText(shown)}
    >
      <title>{endsText(shown)}</title>
      {shown.map((end, index) => (
        <EndMark key={end.run} state={end.state} x={(MARKS - 1 - index) * STEP + 1} />
      ))}
    </svg>
  );
}

function EndMark({ state, x }: { readonly state: RunState; readonly x: number }) {
  const height = HEIGHTS[state];
  const isHollow = state === 'lost' || state === 'timed_out';
  const inset = isHollow ? 0.75 : 0;
  return (
    <rect
      class={isHollow ? 'end hollow' : 'end'}
      data-state={state}
      x={x + inset}
      y={HEIGHT - height + inset}
      width={WIDTH - 2 * inset}
      height={height - 2 * inset}
    />
  );
}

const HEIGHTS: Readonly<Record<RunState, number>> = {
  running: 4,
  killing: 4,
  succeeded: 7,
  killed: 11,
  failed: 16,
  errored: 16,
  timed_out: 16,
  lost: 16,
};

/** `Last 20 ends: 18 succeeded, 2 failed; the last one: failed`. */
export function endsText(ends: readonly RunEnd[]): string {
  const counts = new Map<RunState, number>();
  for (const { state } of ends) counts.set(state, (counts.get(state) ?? 0) + 1);
  const told = [...counts].map(([state, count]) => `${count} ${STATE_WORDS[state]}`).join(', ');
  const [last] = ends;
  return ends.length === 1 || last === undefined
    ? `One end so far: ${told}`
    : `Last ${ends.length} ends: ${told}; the last one: ${STATE_WORDS[last.state]}`;
}

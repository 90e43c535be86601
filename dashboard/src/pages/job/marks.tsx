/** How an end looks in the chart, by shape as much as by colour: on the canvas, and beside its name where it is explained. */
import type { RunState } from '#protocol/run-state';

interface Mark {
  /** Around the origin, in pixels. */
  readonly path: string;
  readonly manner: 'fill' | 'stroke';
  /** The token with its colour. */
  readonly color: string;
}

/** What is as it should be is small and quiet. */
export const MARKS: Readonly<Record<RunState, Mark>> = {
  succeeded: { path: 'M3 0A3 3 0 1 1-3 0 3 3 0 1 1 3 0Z', manner: 'fill', color: '--good' },
  running: { path: 'M4 0A4 4 0 1 1-4 0 4 4 0 1 1 4 0Z', manner: 'stroke', color: '--run' },
  killing: { path: 'M-4-4H4V4H-4Z', manner: 'stroke', color: '--kill' },
  killed: { path: 'M-4-4H4V4H-4Z', manner: 'fill', color: '--kill' },
  failed: { path: 'M-4-4 4 4M4-4-4 4', manner: 'stroke', color: '--bad' },
  timed_out: { path: 'M-5-4H5M0-4V5', manner: 'stroke', color: '--bad' },
  lost: { path: 'M0-5.5 5.5 0 0 5.5-5.5 0Z', manner: 'stroke', color: '--warn' },
  errored: { path: 'M0-5 5.2 4H-5.2Z', manner: 'fill', color: '--bad' },
};

export const MARK_STROKE = 2;

export function MarkSign({ state }: { readonly state: RunState }) {
  const { path, manner } = MARKS[state];
  return (
    <svg class="mark-sign" data-state={state} viewBox="-8 -8 16 16" width="16" height="16" aria-hidden="true">
      <path d={path} class={manner} stroke-width={MARK_STROKE} />
    </svg>
  );
}

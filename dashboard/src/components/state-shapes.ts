/** The signs of the states, each in a square of 16: on the page as SVG, in the chart on a canvas. */
import type { RunState } from '#protocol/run-state';

export interface StateShape {
  readonly fill?: string;
  readonly stroke?: string;
  readonly isDashed?: boolean;
  /** The filled part pulses: the run is live. */
  readonly pulses?: boolean;
}

const RING = 'M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z';

export const STATE_SHAPES: Readonly<Record<RunState, StateShape>> = {
  waiting: { stroke: RING, pulses: true },
  running: { fill: 'M13 8A5 5 0 1 1 3 8a5 5 0 0 1 10 0Z', pulses: true },
  killing: { stroke: RING, fill: 'M5.25 5.25h5.5v5.5h-5.5Z', pulses: true },
  succeeded: { stroke: 'm3 8.5 3.4 3.4L13 4.6' },
  failed: { stroke: 'm4 4 8 8m0-8-8 8' },
  killed: { fill: 'M4.5 3.5h7a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1h-7a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1Z' },
  timed_out: { stroke: `M8 4.5V8l2.4 1.8${RING}` },
  lost: { stroke: RING, isDashed: true, fill: 'M9.6 8A1.6 1.6 0 1 1 6.4 8a1.6 1.6 0 0 1 3.2 0Z' },
  skipped: { stroke: 'M4 4.5 7.5 8 4 11.5M8.5 4.5 12 8l-3.5 3.5' },
  errored: { stroke: 'M8 6.4v3M8 11.5v.2M8 2.3 14.2 13H1.8Z' },
};

import type { RunState } from '#protocol/run-state';

export const STATE_LABELS: Readonly<Record<RunState, string>> = {
  running: 'running',
  killing: 'stopping',
  succeeded: 'succeeded',
  failed: 'failed',
  killed: 'killed',
  timed_out: 'timed out',
  lost: 'lost',
  errored: 'errored',
};

/** Where runs lie on top of each other or are drawn as one: the higher one is seen. */
export const PROMINENCE: Readonly<Record<RunState, number>> = {
  succeeded: 0,
  running: 1,
  killing: 2,
  killed: 3,
  lost: 4,
  timed_out: 5,
  errored: 6,
  failed: 7,
};

import type { RunState } from '#protocol/run-state';

export const STATE_LABELS: Readonly<Record<RunState, string>> = {
  waiting: 'waiting',
  running: 'running',
  killing: 'stopping',
  succeeded: 'succeeded',
  failed: 'failed',
  killed: 'killed',
  timed_out: 'timed out',
  lost: 'lost',
  errored: 'errored',
  skipped: 'skipped',
};

/** Where runs lie on top of each other or are drawn as one: the higher one is seen. */
export const PROMINENCE: Readonly<Record<RunState, number>> = {
  skipped: -1,
  succeeded: 0,
  waiting: 1,
  running: 1,
  killing: 2,
  killed: 3,
  lost: 4,
  timed_out: 5,
  errored: 6,
  failed: 7,
};

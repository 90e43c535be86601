import type { RunState } from '#protocol/run-state';

export const STATE_WORDS: Readonly<Record<RunState, string>> = {
  running: 'running',
  killing: 'being killed',
  succeeded: 'succeeded',
  failed: 'failed',
  killed: 'killed',
  timed_out: 'timed out',
  lost: 'lost',
  errored: 'errored',
};

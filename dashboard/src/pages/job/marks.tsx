/** The symbol of a state next to its name, as in the chart: by shape as well as by colour. */
import type { RunState } from '#protocol/run-state';
import { StateShape } from '../../components/run-state.tsx';

/** The tokens with the colours. */
export const STATE_COLORS: Readonly<Record<RunState, string>> = {
  succeeded: '--good',
  waiting: '--run',
  running: '--run',
  killing: '--kill',
  killed: '--kill',
  failed: '--bad',
  timed_out: '--bad',
  lost: '--warn',
  skipped: '--ink-soft',
  errored: '--bad',
};

export function MarkSign({ state }: { readonly state: RunState }) {
  return (
    <span class="mark-sign" data-state={state}>
      <StateShape state={state} px={14} />
    </span>
  );
}

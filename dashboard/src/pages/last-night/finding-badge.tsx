import type { Finding, FindingKind } from '#protocol/report';
import type { RunState } from '#protocol/run-state';
import { KIND_LABELS } from '#shared/finding-text';
import { StateShape } from '../../components/run-state.tsx';

/** Those that are states of runs have their signs. */
const STATES: Partial<Record<FindingKind, RunState>> = {
  failed: 'failed',
  errored: 'errored',
  timed_out: 'timed_out',
  lost: 'lost',
  skipped: 'skipped',
  killed: 'killed',
};

/** A clock, for what is late or slow; a ring with something in it, for what is still there. */
const CLOCK = 'M8 4.5V8l2.4 1.8M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z';
const STILL_THERE = 'M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0ZM5.5 8h5';
const SHAPES: Partial<Record<FindingKind, string>> = {
  survivors: STILL_THERE,
  leftovers: STILL_THERE,
  missed: CLOCK,
  late: CLOCK,
  slow: CLOCK,
};

/** What was found by shape, word and colour: any one of them is enough. */
export function FindingBadge({ finding: { kind, count, is_over } }: { readonly finding: Finding }) {
  const state = STATES[kind];
  return (
    <p class="finding-badge" data-state={state} data-kind={kind}>
      {state === undefined ? (
        <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
          <path d={SHAPES[kind]} class="stroke" />
        </svg>
      ) : (
        <StateShape state={state} px={16} />
      )}
      <span>
        {KIND_LABELS[kind]}
        {count > 1 && <span class="finding-count"> × {count}</span>}
        {is_over && kind !== 'killed' && kind !== 'skipped' && <span class="finding-over"> over</span>}
      </span>
    </p>
  );
}

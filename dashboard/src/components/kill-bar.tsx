/** The kills requested from this tab, above every view, until the reader dismisses them. */
import './kill-bar.css';
import { forceText, progressText } from '../format/batch-labels.ts';
import { countText } from '../format/quantity.ts';
import { batchPath, killPath, Link, route } from '../router.tsx';
import { batchProgress } from '../state/batch-progress.ts';
import { useFleet } from '../state/fleet.ts';
import { kills } from '../state/kills.ts';
import {
  dismissKill,
  failureText,
  forceableRuns,
  isOnlyRun,
  isProgressLoading,
  pendingKills,
  requestKill,
  retryKill,
} from '../state/pending-kills.ts';
import type { PendingKill } from '../state/saved-kills.ts';
import type { Kills } from '../state/store.ts';
import { survivorsText } from '../state/survivors.ts';
import { Docked } from './dock.tsx';

export function KillBar() {
  const here = route.value;
  // A run's own page shows the kill of that run step by step.
  const shown = pendingKills.value.filter(({ scope }) => here.page !== 'run' || !isOnlyRun(scope, here));
  if (shown.length === 0) return null;
  return (
    <Docked>
      <section class="kill-bar" aria-label="Your kills">
        <Follow />
        {shown.map((pending) => (
          <PendingKillRow key={pending.id} pending={pending} />
        ))}
      </section>
    </Docked>
  );
}

/** Keeps the progress of the kills live in every view. */
function Follow() {
  useFleet();
  return null;
}

function PendingKillRow({ pending }: { readonly pending: PendingKill }) {
  const { state } = pending;
  const unfinished = forceableRuns(pending);
  return (
    <div class="pending-kill" data-pending={state.kind}>
      <strong class="pending-kill-what">{whatOf(pending)}</strong>
      <span class="pending-kill-progress" role="status">
        {state.kind === 'sending' && 'Sending…'}
        {state.kind === 'failed' && <span class="problem">{failureText(state)}</span>}
        {state.kind === 'failed' && state.kills.length > 0 && (
          <>
            {' '}
            Progress: <Progress pending={pending} ids={state.kills} known={kills.value} />
          </>
        )}
        {state.kind === 'stored' && <Progress pending={pending} ids={state.kills} known={kills.value} />}
      </span>
      <span class="pending-kill-actions">
        {state.kind === 'failed' && (
          <button type="button" class="button quiet" onClick={() => retryKill(pending)}>
            Try again
          </button>
        )}
        {unfinished.length > 0 && (
          <button
            type="button"
            class="button danger"
            onClick={() => requestKill({ kind: 'runs', runs: unfinished }, { signal: 'SIGKILL', grace_seconds: 0 })}
          >
            {forceText(unfinished)}
          </button>
        )}
        {state.kind === 'stored' && <Link to={detailsPath(state.kills)}>Details</Link>}
        {state.kind !== 'sending' && (
          <button
            type="button"
            class="button quiet"
            aria-label={`Dismiss: ${whatOf(pending)}`}
            onClick={() => dismissKill(pending.id)}
          >
            Dismiss
          </button>
        )}
      </span>
    </div>
  );
}

function detailsPath(ids: readonly string[]): string {
  const [first] = ids;
  if (first !== undefined && ids.length === 1) return killPath(first);
  const batches = new Set(ids.map((id) => kills.value.get(id)?.batch ?? null));
  const [only] = batches;
  return batches.size === 1 && only !== undefined && only !== null ? batchPath(only) : '/kills';
}

interface ProgressProps {
  readonly pending: PendingKill;
  readonly ids: readonly string[];
  readonly known: Kills;
}

function Progress({ pending, ids, known }: ProgressProps) {
  if (isProgressLoading(pending)) return <>Loading progress…</>;
  const progress = batchProgress(ids.map((id) => known.get(id) ?? null));
  return (
    <>
      {progressText(progress)}
      {progress.survivors.map((left) => (
        <span key={left.machine} class="problem">
          {' '}
          Processes survived on {left.machine}: {survivorsText(left)}.
        </span>
      ))}
    </>
  );
}

function whatOf({ scope }: PendingKill): string {
  if (scope.kind === 'job') return `Kill all runs of ${scope.job}`;
  const [first] = scope.runs;
  return scope.runs.length === 1 && first !== undefined
    ? `Kill ${first.job} on ${first.machine}`
    : `Kill ${countText(scope.runs.length, 'run')}`;
}

/** The kills requested from this tab, above every view, until the reader dismisses them. */
import './kill-bar.css';
import { countText } from '../format/quantity.ts';
import { batchPath, killPath, Link, route } from '../router.tsx';
import { type BatchProgress, batchProgress } from '../state/batch-progress.ts';
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

export function forceText(runs: readonly unknown[]): string {
  return runs.length === 1 ? 'Force kill now' : `Force kill ${runs.length} runs now`;
}

/** `2 ended, 1 waiting for machine`. */
export function progressText({ counts, isOver }: BatchProgress): string {
  const parts = [
    [counts.survived, 'with surviving processes'],
    [counts.gone, 'ended'],
    [counts.refused, 'already ended'],
    [counts.lost, 'lost (will be killed on reconnect)'],
    [counts.kill, 'SIGKILL sent'],
    [counts.term, 'in grace period'],
    [counts.delivered, 'delivered'],
    [counts.sent, 'sent, not confirmed yet'],
    [counts.pending, 'waiting for machine'],
    [counts.idle, 'with nothing running'],
    [counts.none, isOver ? 'not found' : 'queued'],
  ] as const;
  const told = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  if (told.length === 0) return isOver ? 'nothing to kill' : 'queued';
  if (told.length === 1 && counts.idle > 0) return 'nothing is running';
  return told.join(', ');
}

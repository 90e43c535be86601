/** What was ordered to stop from here, over every page, until it is over and has been seen. */
import './kill-bar.css';
import { countText } from '../format/quantity.ts';
import { batchPath, killPath, Link, route } from '../router.tsx';
import { useFleet } from '../state/fleet.ts';
import {
  dismissOrder,
  failureText,
  forceable,
  isOnly,
  isProgressLoading,
  type KillOrder,
  killOrders,
  orderKill,
  sendAgain,
} from '../state/kill-orders.ts';
import { type Kills, kills } from '../state/kills.ts';
import { type OrderProgress, orderProgress } from '../state/order-progress.ts';
import { survivorsText } from '../state/survivors.ts';
import { Docked } from './dock.tsx';

export function KillBar() {
  const here = route.value;
  // A run's own page tells the kill of that run step by step.
  const shown = killOrders.value.filter(({ scope }) => here.page !== 'run' || !isOnly(scope, here));
  if (shown.length === 0) return null;
  return (
    <Docked>
      <section class="kill-bar" aria-label="Your kills">
        <Follow />
        {shown.map((order) => (
          <OrderLine key={order.id} order={order} />
        ))}
      </section>
    </Docked>
  );
}

/** Whatever page this stands over: how far the kills have come is pushed. */
function Follow() {
  useFleet();
  return null;
}

function OrderLine({ order }: { readonly order: KillOrder }) {
  const { state } = order;
  const unfinished = forceable(order);
  return (
    <div class="order" data-order={state.kind}>
      <strong class="order-what">{whatOf(order)}</strong>
      <span class="order-progress" role="status">
        {state.kind === 'sending' && 'Sending…'}
        {state.kind === 'failed' && <span class="problem">{failureText(state)}</span>}
        {state.kind === 'failed' && state.kills.length > 0 && (
          <>
            {' '}
            Progress: <Progress order={order} ids={state.kills} known={kills.value} />
          </>
        )}
        {state.kind === 'stored' && <Progress order={order} ids={state.kills} known={kills.value} />}
      </span>
      <span class="order-actions">
        {state.kind === 'failed' && (
          <button type="button" class="button quiet" onClick={() => sendAgain(order)}>
            Try again
          </button>
        )}
        {unfinished.length > 0 && (
          <button
            type="button"
            class="button danger"
            onClick={() => orderKill({ kind: 'runs', runs: unfinished }, { signal: 'SIGKILL', grace_seconds: 0 })}
          >
            {forceText(unfinished)}
          </button>
        )}
        {state.kind === 'stored' && <Link to={detailsPath(state.kills)}>Details</Link>}
        {state.kind !== 'sending' && (
          <button
            type="button"
            class="button quiet"
            aria-label={`Dismiss: ${whatOf(order)}`}
            onClick={() => dismissOrder(order.id)}
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
  readonly order: KillOrder;
  readonly ids: readonly string[];
  readonly known: Kills;
}

function Progress({ order, ids, known }: ProgressProps) {
  if (isProgressLoading(order)) return <>Loading progress…</>;
  const progress = orderProgress(ids.map((id) => known.get(id) ?? null));
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

function whatOf({ scope }: KillOrder): string {
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
export function progressText({ counts, isOver }: OrderProgress): string {
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

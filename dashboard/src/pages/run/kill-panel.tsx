/** Ending a run: asked once, then told step by step. */

import { useRef, useState } from 'preact/hooks';
import type { Command, KillRequest, Run } from '#protocol/api';
import { postKill } from '../../api/calls.ts';
import type { Failure } from '../../api/failure.ts';
import { newKey } from '../../api/idempotency-key.ts';
import type { KillProgress } from '../../state/kill-progress.ts';
import { isKillable, mayKill } from '../../state/rights.ts';
import { session } from '../../state/session.ts';
import { KillConfirm } from './kill-confirm.tsx';
import { KillSteps } from './kill-steps.tsx';

type Asking =
  | { readonly kind: 'idle' }
  | { readonly kind: 'confirming' }
  | { readonly kind: 'sending'; readonly order: Order }
  | { readonly kind: 'failed'; readonly order: Order; readonly failure: Failure };

/** The key stays with the order: sent a second time after a failure, it is still one kill. */
interface Order {
  readonly key: string;
  readonly request: Partial<KillRequest>;
}

interface KillPanelProps {
  readonly run: Run;
  readonly progress: KillProgress | null;
  answered(command: Command): void;
}

export function KillPanel({ run, progress, answered }: KillPanelProps) {
  const [asking, setAsking] = useState<Asking>({ kind: 'idle' });
  const who = session.value;
  const allowed = who.kind === 'signed_in' && mayKill(who.session, run.job);
  const killable = isKillable(run);
  const offered = allowed && killable;

  const panel = useRef<HTMLElement | null>(null);
  // The buttons that were just used are gone: without this the keyboard would be back at the top of the page.
  const stopAsking = () => {
    setAsking({ kind: 'idle' });
    panel.current?.focus();
  };
  const send = async (order: Order) => {
    setAsking({ kind: 'sending', order });
    panel.current?.focus();
    const answer = await postKill(run.job, order.request, order.key);
    if (answer.ok) {
      answered(answer.value);
      setAsking({ kind: 'idle' });
    } else {
      setAsking({ kind: 'failed', order, failure: answer.failure });
    }
  };
  const order = (request: Partial<KillRequest>) => void send({ key: newKey(), request: { run: run.id, ...request } });
  const underWay = progress !== null && progress.outcome === 'under_way';
  // A kill that a run was lost under still stands: it is carried out when the run comes back.
  const stands = underWay || (progress !== null && progress.orders.length > 0 && progress.outcome === 'lost');
  const busy = asking.kind === 'sending';

  if (progress === null && !offered) return null;
  return (
    <section ref={panel} tabIndex={-1} class="kill-panel" aria-label="Kill" data-kill={progress?.outcome ?? 'none'}>
      {progress !== null && <KillSteps run={run} progress={progress} />}
      {offered && asking.kind === 'confirming' && <KillConfirm run={run} confirm={order} cancel={stopAsking} />}
      {offered && asking.kind !== 'confirming' && (
        <div class="kill-actions">
          {!stands && (
            <button
              type="button"
              class="button danger"
              disabled={busy}
              onClick={() => setAsking({ kind: 'confirming' })}
            >
              {busy ? 'Asking…' : 'Kill'}
            </button>
          )}
          {underWay && canForce(progress) && (
            <button
              type="button"
              class="button danger"
              disabled={busy}
              onClick={() => order({ signal: 'SIGKILL', grace_seconds: 0 })}
            >
              {busy ? 'Asking…' : 'Force kill now'}
            </button>
          )}
        </div>
      )}
      {asking.kind === 'failed' && killable && (
        <p class="problem" role="alert">
          Not killed: {asking.failure.detail}{' '}
          <button type="button" class="button quiet" onClick={() => void send(asking.order)}>
            Try again
          </button>
        </p>
      )}
    </section>
  );
}

/** While a grace runs, or while the first order has not got through, an order without grace changes something. */
function canForce(progress: KillProgress): boolean {
  const killed = progress.steps.some((step) => step.name === 'kill' && step.state === 'done');
  const forced = progress.orders.some((order) => order.signal === 'SIGKILL' || order.graceMs === 0);
  return !killed && !forced;
}

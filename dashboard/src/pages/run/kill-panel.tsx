/** Killing a run: one dialog, then progress step by step. */

import { useRef } from 'preact/hooks';
import type { Run } from '#protocol/api';
import { KillDialog } from '../../components/kill-dialog.tsx';
import type { KillProgress } from '../../state/kill-progress.ts';
import { failureText, pendingKillOf, requestKill, retryKill } from '../../state/pending-kills.ts';
import { hasWorkForKill, mayKill } from '../../state/rights.ts';
import { session } from '../../state/session.ts';
import { KillSteps, KillStepsToCome } from './kill-steps.tsx';

interface KillPanelProps {
  readonly run: Run;
  readonly progress: KillProgress | null;
  /** Whether there is a kill of which the progress is being loaded. */
  readonly isLoading: boolean;
  /** Whether the question is open, and how it is opened and closed: a key does that, too. */
  readonly isAsking: boolean;
  ask(open: boolean): void;
}

export function KillPanel({ run, progress, isLoading, isAsking, ask }: KillPanelProps) {
  const panel = useRef<HTMLElement | null>(null);
  const offer = isLoading ? 'none' : killOffer(run, progress);
  const pending = pendingKillOf(run);
  const busy = pending?.state.kind === 'sending';
  if (progress === null && !isLoading && offer === 'none' && pending === null) return null;
  // The button that was just used may be gone: without this the keyboard would be back at the top of the page.
  const keepFocus = () => panel.current?.focus();
  return (
    <section ref={panel} tabIndex={-1} class="kill-panel" aria-label="Kill" data-kill={progress?.outcome ?? 'none'}>
      {isLoading && <KillStepsToCome />}
      {progress !== null && <KillSteps run={run} progress={progress} />}
      {progress === null && !isLoading && run.final && <p class="kill-summary">{leftText(run)}</p>}
      <div class="kill-actions">
        {offer === 'kill' && (
          <button type="button" class="button danger" disabled={busy} onClick={() => ask(true)}>
            {busy ? 'Sending…' : 'Kill'}
          </button>
        )}
        {offer === 'force' && (
          <button
            type="button"
            class="button danger"
            disabled={busy}
            onClick={() => {
              requestKill({ kind: 'runs', runs: [run] }, { signal: 'SIGKILL', grace_seconds: 0 });
              keepFocus();
            }}
          >
            {busy ? 'Sending…' : 'Force kill now'}
          </button>
        )}
      </div>
      {isAsking && (
        <KillDialog
          scope={{ kind: 'runs', runs: [run] }}
          close={() => {
            ask(false);
            keepFocus();
          }}
        />
      )}
      {pending?.state.kind === 'failed' && hasWorkForKill(run) && (
        <p class="problem" role="alert">
          {failureText(pending.state)}{' '}
          <button type="button" class="button quiet" onClick={() => retryKill(pending)}>
            Try again
          </button>
        </p>
      )}
    </section>
  );
}

/** What a kill of a run that is over is for. */
function leftText({ left_running: { length } }: Run): string {
  return `Left running: ${length === 1 ? '1 process' : `${length} processes`}`;
}

/** The available kill: `force` while a kill is in progress that SIGKILL would speed up. */
export function killOffer(run: Run, progress: KillProgress | null): 'kill' | 'force' | 'none' {
  const who = session.value;
  if (who.kind !== 'signed_in' || !mayKill(who.session, run.job) || !hasWorkForKill(run)) return 'none';
  if (progress === null) return 'kill';
  if (progress.outcome === 'under_way') return canForce(progress) ? 'force' : 'none';
  // A kill whose run was lost stays valid: it is carried out when the run reconnects.
  return progress.outcome === 'lost' && progress.kills.length > 0 ? 'none' : 'kill';
}

/** During a grace period, or before the first kill was delivered, a kill without grace makes a difference. */
function canForce(progress: KillProgress): boolean {
  const killed = progress.steps.some((step) => step.name === 'kill' && step.state === 'done');
  const forced = progress.kills.some((kill) => kill.signal === 'SIGKILL' || kill.graceMs === 0);
  return !killed && !forced;
}

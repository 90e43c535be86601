/** How a run's state may change. Pure: what follows from a change (timers, kills, messages) is elsewhere. */
import { type EndReason, type EndState, isLive, type RunState, stateOfEnd } from '#protocol/run-state';

export interface RunStatus {
  readonly state: RunState;
  /** Whether the state can no longer change. Every end is final, except `lost` as declared by the object. */
  readonly final: boolean;
}

export type RunChange =
  /** The wrapper reports that it waits to be allowed to start its command. */
  | { readonly kind: 'asking' }
  /** The wrapper reports that its command is running. */
  | { readonly kind: 'alive' }
  /** A signal was sent to end the command. */
  | { readonly kind: 'signalled' }
  /** Nothing was heard of it within the deadline. */
  | { readonly kind: 'silent' }
  /** The wrapper reports the end. */
  | { readonly kind: 'ended'; readonly reason: EndReason; readonly exitCode: number }
  /** The wrapper died; only its spool is left. */
  | { readonly kind: 'abandoned' };

/**
 * The status after a change, or null if the change has no effect: messages after a final end are acknowledged and
 * change nothing.
 */
export function changeRun(run: RunStatus, change: RunChange): RunStatus | null {
  if (run.final) return null;
  const live = isLive(run.state);
  switch (change.kind) {
    case 'asking':
      return live ? null : { state: 'waiting', final: false };
    case 'alive':
      return live && run.state !== 'waiting' ? null : { state: 'running', final: false };
    case 'signalled':
      return run.state === 'running' || run.state === 'waiting' ? { state: 'killing', final: false } : null;
    case 'silent':
      return live ? { state: 'lost', final: false } : null;
    case 'ended':
      return { state: stateOfEnd(change.reason, change.exitCode) satisfies EndState, final: true };
    case 'abandoned':
      return { state: 'lost', final: true };
  }
}

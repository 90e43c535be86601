/** How a run's state may change. Pure: what follows from a change (timers, kills, messages) is elsewhere. */
import { type EndReason, type EndState, isLive, type RunState, stateOfEnd } from '#protocol/run-state';

export interface RunStanding {
  readonly state: RunState;
  /** Whether nothing can change the state any more. An end is final, except `lost` as the object declared it. */
  readonly final: boolean;
}

export type RunChange =
  /** The wrapper says that its command runs. */
  | { readonly kind: 'alive' }
  /** A signal was sent to end the command. */
  | { readonly kind: 'signalled' }
  /** No sign of life within the deadline. */
  | { readonly kind: 'silent' }
  /** The wrapper reports the end. */
  | { readonly kind: 'ended'; readonly reason: EndReason; readonly exitCode: number }
  /** The wrapper died; only its spool is left to speak. */
  | { readonly kind: 'abandoned' };

/**
 * The standing after a change, or null when the change leaves everything as it is: messages after a final end are
 * acknowledged and change nothing.
 */
export function changeRun(run: RunStanding, change: RunChange): RunStanding | null {
  if (run.final) return null;
  const live = isLive(run.state);
  switch (change.kind) {
    case 'alive':
      return live ? null : { state: 'running', final: false };
    case 'signalled':
      return run.state === 'running' ? { state: 'killing', final: false } : null;
    case 'silent':
      return live ? { state: 'lost', final: false } : null;
    case 'ended':
      return { state: stateOfEnd(change.reason, change.exitCode) satisfies EndState, final: true };
    case 'abandoned':
      return { state: 'lost', final: true };
  }
}

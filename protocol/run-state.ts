/** A run's states, its end reasons, and the exit code and state that each reason is reported with. */
import * as v from 'valibot';

export const LIVE_STATES = ['running', 'killing'] as const;
export const END_STATES = ['succeeded', 'failed', 'killed', 'timed_out', 'lost', 'errored'] as const;
export const RUN_STATES = [...LIVE_STATES, ...END_STATES] as const;

export const RunState = v.picklist(RUN_STATES);
export type RunState = v.InferOutput<typeof RunState>;
export const EndState = v.picklist(END_STATES);
export type EndState = v.InferOutput<typeof EndState>;

export function isLive(state: RunState): state is (typeof LIVE_STATES)[number] {
  return state === 'running' || state === 'killing';
}

/** Ends that need attention. */
export const BAD_END_STATES = ['failed', 'timed_out', 'lost', 'errored'] as const satisfies readonly EndState[];

export function isBadEnd(state: RunState): boolean {
  return BAD_END_STATES.some((bad) => bad === state);
}

export const EXIT_TIMED_OUT = 124;
export const EXIT_KILLED = 143;
export const EXIT_LOST = 253;
export const EXIT_ERRORED = 255;

/**
 * Why a run ended.
 *
 * - `exited`: the command exited by itself
 * - `signaled`: a signal from outside of Leash ended it
 * - `local_signal`: a signal to the wrapper on its own machine was passed on and ended it
 * - `operator`: an operator's kill ended it
 * - `timeout`, `idle_timeout`: the wrapper's own limit ended it
 * - `offline_limit`: the control plane was unreachable for longer than the run may go unsupervised
 * - `silence`: the run was silent for longer than its deadline; not final
 * - `wrapper_died`: only the run's spool was left
 * - `exit_unknown`: the command ended after its wrapper was killed, so its exit code is unknown
 * - `start_failed`: the command could not be started
 * - `wrapper_failed`: the wrapper itself failed
 */
export const END_REASONS = [
  'exited',
  'signaled',
  'local_signal',
  'operator',
  'timeout',
  'idle_timeout',
  'offline_limit',
  'silence',
  'wrapper_died',
  'exit_unknown',
  'start_failed',
  'wrapper_failed',
] as const;
export const EndReason = v.picklist(END_REASONS);
export type EndReason = v.InferOutput<typeof EndReason>;

/** How a command's process ended, according to the operating system. */
export type RawExit =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signaled'; readonly signal: string; readonly signalNumber: number };

/** A run's end as it is reported. */
export interface ReportedEnd {
  readonly state: EndState;
  readonly exitCode: number;
}

/**
 * The reported exit code and state, from why the run ended and how its command exited.
 *
 * @param raw how the command exited; null if it never ran, or if its exit is unknown
 */
export function reportedEnd(reason: EndReason, raw: RawExit | null): ReportedEnd {
  switch (reason) {
    case 'exited':
    case 'signaled':
    case 'local_signal': {
      const exitCode = raw === null ? EXIT_ERRORED : rawExitCode(raw);
      return { state: stateOfEnd(reason, exitCode), exitCode };
    }
    case 'operator':
      return { state: stateOfEnd(reason, EXIT_KILLED), exitCode: EXIT_KILLED };
    case 'timeout':
    case 'idle_timeout':
      return { state: stateOfEnd(reason, EXIT_TIMED_OUT), exitCode: EXIT_TIMED_OUT };
    case 'offline_limit':
    case 'silence':
    case 'wrapper_died':
      return { state: stateOfEnd(reason, EXIT_LOST), exitCode: EXIT_LOST };
    case 'exit_unknown':
    case 'start_failed':
    case 'wrapper_failed':
      return { state: stateOfEnd(reason, EXIT_ERRORED), exitCode: EXIT_ERRORED };
  }
}

/** The state for a reason and a reported exit code. */
export function stateOfEnd(reason: EndReason, exitCode: number): EndState {
  switch (reason) {
    case 'exited':
    case 'signaled':
    case 'local_signal':
      return exitCode === 0 ? 'succeeded' : 'failed';
    case 'operator':
      return 'killed';
    case 'timeout':
    case 'idle_timeout':
      return 'timed_out';
    case 'offline_limit':
    case 'silence':
    case 'wrapper_died':
      return 'lost';
    case 'exit_unknown':
    case 'start_failed':
    case 'wrapper_failed':
      return 'errored';
  }
}

/** The exit code as a shell reports it: 128+n after signal n. */
export function rawExitCode(raw: RawExit): number {
  return raw.kind === 'exited' ? raw.code : 128 + raw.signalNumber;
}

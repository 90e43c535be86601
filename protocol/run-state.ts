/** The life of a run: its states, its ends, and the exit code each end is reported with. */
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

/** Ends that nobody can have wanted: somebody should look. */
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
 * - `signaled`: a signal that nobody here sent ended it
 * - `local_signal`: a signal to the wrapper on its own machine was passed on and ended it
 * - `operator`: an operator's kill ended it
 * - `timeout`, `idle_timeout`: the wrapper's own limit ended it
 * - `offline_limit`: the control plane was out of reach for longer than the run may go unsupervised
 * - `silence`: the object heard no sign of life within the deadline; not final
 * - `wrapper_died`: only a spool was left to tell of the run
 * - `exit_unknown`: the command ended after its wrapper had been killed: a successor saw that it ended, and nobody how
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

/** How a command's process ended, as the operating system tells it. */
export type RawExit =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signaled'; readonly signal: string; readonly signalNumber: number };

/** A run's end as everyone is told it. */
export interface ReportedEnd {
  readonly state: EndState;
  readonly exitCode: number;
}

/**
 * The code and state a run is reported with, from why it ended and how its command exited.
 *
 * @param raw what the operating system said of the command; null when it never ran or nobody saw it end
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

/** The state that goes with a reported end. */
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

/** The exit code as a shell tells it: a death by signal n is 128+n. */
export function rawExitCode(raw: RawExit): number {
  return raw.kind === 'exited' ? raw.code : 128 + raw.signalNumber;
}

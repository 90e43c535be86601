/** A run's states, its end reasons, and the exit code and state that each reason is reported with. */
import * as v from 'valibot';

/** `waiting`: it has asked whether it may start, and has not been told to. Nothing of it runs yet. */
export const LIVE_STATES = ['waiting', 'running', 'killing'] as const;
/** `skipped`: it asked, and did not start. */
export const END_STATES = ['succeeded', 'failed', 'killed', 'timed_out', 'lost', 'errored', 'skipped'] as const;
export const RUN_STATES = [...LIVE_STATES, ...END_STATES] as const;

export const RunState = v.picklist(RUN_STATES);
export type RunState = v.InferOutput<typeof RunState>;
export const EndState = v.picklist(END_STATES);
export type EndState = v.InferOutput<typeof EndState>;

export function isLive(state: RunState): state is (typeof LIVE_STATES)[number] {
  return LIVE_STATES.some((live) => live === state);
}

/** Ends that need attention. */
export const BAD_END_STATES = ['failed', 'timed_out', 'lost', 'errored'] as const satisfies readonly EndState[];

export function isBadEnd(state: RunState): boolean {
  return BAD_END_STATES.some((bad) => bad === state);
}

/** EX_TEMPFAIL of sysexits.h: try again later. `leash run --skip-exit-code` sets another. */
export const EXIT_SKIPPED = 75;
export const EXIT_TIMED_OUT = 124;
/** As after the kernel's out-of-memory killer: 128 + SIGKILL. */
export const EXIT_MEMORY_LIMIT = 137;
/** As after `ulimit -t`: 128 + SIGXCPU. */
export const EXIT_CPU_LIMIT = 152;
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
 * - `memory_limit`, `cpu_limit`: it took more than --max-memory or --max-cpu allows
 * - `offline_limit`: the control plane was unreachable for longer than the run may go unsupervised
 * - `silence`: the run was silent for longer than its deadline; not final
 * - `wrapper_died`: only the run's spool was left
 * - `exit_unknown`: the command ended after its wrapper was killed, so its exit code is unknown
 * - `start_failed`: the command could not be started
 * - `wrapper_failed`: the wrapper itself failed
 * - `overlap`: it did not start, because another run was in its way
 * - `brake`, `maintenance`: it did not start, because an operator had ordered that
 * - `unreachable`: it did not start, because the control plane could not be asked
 */
export const END_REASONS = [
  'exited',
  'signaled',
  'local_signal',
  'operator',
  'timeout',
  'idle_timeout',
  'memory_limit',
  'cpu_limit',
  'offline_limit',
  'silence',
  'wrapper_died',
  'exit_unknown',
  'start_failed',
  'wrapper_failed',
  'overlap',
  'brake',
  'maintenance',
  'unreachable',
] as const;
export const EndReason = v.picklist(END_REASONS);
export type EndReason = v.InferOutput<typeof EndReason>;

/** Ends that the wrapper itself brings about: by a limit, or by a signal on its machine. */
export const OWN_END_REASONS = [
  'timeout',
  'idle_timeout',
  'memory_limit',
  'cpu_limit',
  'offline_limit',
  'local_signal',
] as const satisfies readonly EndReason[];

/** Why a run that asked did not start. */
export const SKIP_REASONS = ['overlap', 'brake', 'maintenance', 'unreachable'] as const satisfies readonly EndReason[];
export const SkipReason = v.picklist(SKIP_REASONS);
export type SkipReason = v.InferOutput<typeof SkipReason>;

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
    case 'memory_limit':
      return { state: stateOfEnd(reason, EXIT_MEMORY_LIMIT), exitCode: EXIT_MEMORY_LIMIT };
    case 'cpu_limit':
      return { state: stateOfEnd(reason, EXIT_CPU_LIMIT), exitCode: EXIT_CPU_LIMIT };
    case 'offline_limit':
    case 'silence':
    case 'wrapper_died':
      return { state: stateOfEnd(reason, EXIT_LOST), exitCode: EXIT_LOST };
    case 'exit_unknown':
    case 'start_failed':
    case 'wrapper_failed':
      return { state: stateOfEnd(reason, EXIT_ERRORED), exitCode: EXIT_ERRORED };
    case 'overlap':
    case 'brake':
    case 'maintenance':
    case 'unreachable':
      return { state: stateOfEnd(reason, EXIT_SKIPPED), exitCode: EXIT_SKIPPED };
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
    case 'memory_limit':
    case 'cpu_limit':
      return 'failed';
    case 'offline_limit':
    case 'silence':
    case 'wrapper_died':
      return 'lost';
    case 'exit_unknown':
    case 'start_failed':
    case 'wrapper_failed':
      return 'errored';
    case 'overlap':
    case 'brake':
    case 'maintenance':
    case 'unreachable':
      return 'skipped';
  }
}

/** The exit code as a shell reports it: 128+n after signal n. */
export function rawExitCode(raw: RawExit): number {
  return raw.kind === 'exited' ? raw.code : 128 + raw.signalNumber;
}

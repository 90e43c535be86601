/** The states and options of a kill. */
import * as v from 'valibot';

/**
 * - `queued`: stored; no wrapper has acknowledged it yet: no run matches, the matching runs are disconnected, or they have
 *   not answered
 * - `delivered`: at least one wrapper has acknowledged it, and at least one target has not ended
 * - `settled`: all its targets and their runs have ended. A lost run that reconnects reopens it
 * - `expired`: no matching run connected in time
 */
export const KILL_STATES = ['queued', 'delivered', 'settled', 'expired'] as const;
export const KillState = v.picklist(KILL_STATES);
export type KillState = v.InferOutput<typeof KillState>;

/**
 * The progress of a kill at one run.
 *
 * - `pending`: the run's wrapper is disconnected; it gets the kill when it reconnects
 * - `sent`: sent to the wrapper's socket, which may be dead; the wrapper has not answered yet
 * - `delivered`: the wrapper has acknowledged it. It does so with its first phase, so this state is passed at once
 * - `term`: the first signal was sent to the process tree
 * - `kill`: SIGKILL was sent to what was left
 * - `gone`: the kill is over; `survivors` lists what is left
 * - `refused`: the run had already ended
 * - `lost`: the run was declared lost
 */
export const TARGET_STATES = ['pending', 'sent', 'delivered', 'term', 'kill', 'gone', 'refused', 'lost'] as const;
export const TargetState = v.picklist(TARGET_STATES);
export type TargetState = v.InferOutput<typeof TargetState>;

/** The wrapper's progress in ending its command. */
export const KILL_PHASES = ['term', 'kill', 'gone', 'refused'] as const;
export const KillPhase = v.picklist(KILL_PHASES);
export type KillPhase = v.InferOutput<typeof KillPhase>;

const PROGRESS: Record<TargetState, number> = {
  pending: 0,
  sent: 1,
  delivered: 2,
  term: 3,
  kill: 4,
  gone: 5,
  refused: 5,
  lost: 5,
};

/** Whether a change moves a target forward: repeated and late messages never move it back. */
export function isProgress(from: TargetState, to: TargetState): boolean {
  return PROGRESS[to] > PROGRESS[from];
}

export function isTargetEnded(state: TargetState): boolean {
  return state === 'gone' || state === 'refused' || state === 'lost';
}

/** The signals that a kill may send first. */
export const KILL_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGKILL'] as const;
export const KillSignal = v.picklist(KILL_SIGNALS);
export type KillSignal = v.InferOutput<typeof KillSignal>;

/**
 * What a kill may end besides the run's process tree.
 *
 * - `related`: related processes, and those excluded by `LEASH_KEEP=1`
 */
export const KILL_INCLUDES = ['related'] as const;
export const KillInclude = v.picklist(KILL_INCLUDES);
export type KillInclude = v.InferOutput<typeof KillInclude>;
/** The first signal for runs without a signal of their own. */
export const DEFAULT_KILL_SIGNAL: KillSignal = 'SIGTERM';

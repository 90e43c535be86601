/** An operator's order in the queue, today always a kill, and how far it has come. */
import * as v from 'valibot';

/**
 * - `queued`: stored; no wrapper has acknowledged it yet: no run was found for it, those found are out of touch, or it
 *   was sent and not answered
 * - `delivered`: at least one wrapper has acknowledged it, and at least one target has not ended
 * - `settled`: all its targets have ended, and so have their runs. A lost run that returns opens it again
 * - `expired`: nobody came
 */
export const KILL_STATES = ['queued', 'delivered', 'settled', 'expired'] as const;
export const KillState = v.picklist(KILL_STATES);
export type KillState = v.InferOutput<typeof KillState>;

/**
 * How far a kill has come at one run.
 *
 * - `pending`: the run's wrapper is not connected; it gets the kill when it returns
 * - `sent`: handed to the wrapper's live socket, which may be dead: the wrapper has not answered yet
 * - `delivered`: the wrapper has acknowledged it. It does so by its first phase, so that this is passed through at once
 * - `term`: the first signal was sent to everything the command has started
 * - `kill`: SIGKILL was sent to what was left
 * - `gone`: nothing is left
 * - `refused`: the run had already ended
 * - `lost`: the run was declared lost
 */
export const TARGET_STATES = ['pending', 'sent', 'delivered', 'term', 'kill', 'gone', 'refused', 'lost'] as const;
export const TargetState = v.picklist(TARGET_STATES);
export type TargetState = v.InferOutput<typeof TargetState>;

/** Where the wrapper is with ending its command. */
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

/** Whether a target has moved forward: repeats and stragglers never move it back. */
export function isProgress(from: TargetState, to: TargetState): boolean {
  return PROGRESS[to] > PROGRESS[from];
}

export function isTargetEnded(state: TargetState): boolean {
  return state === 'gone' || state === 'refused' || state === 'lost';
}

/** The signals an operator may ask for as the first one. */
export const KILL_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGKILL'] as const;
export const KillSignal = v.picklist(KILL_SIGNALS);
export type KillSignal = v.InferOutput<typeof KillSignal>;

/**
 * What a kill ends beside the run's own processes, if asked.
 *
 * - `related`: related processes, and what `LEASH_KEEP=1` leaves out
 */
export const KILL_INCLUDES = ['related'] as const;
export const KillInclude = v.picklist(KILL_INCLUDES);
export type KillInclude = v.InferOutput<typeof KillInclude>;
/** What a run is sent first that was started without a signal of its own, or by a wrapper that does not tell it. */
export const DEFAULT_KILL_SIGNAL: KillSignal = 'SIGTERM';

/** What has changed in a job's object, on its way to D1 and the pages. */
import type { Command, Run } from '#protocol/api';

export interface Changes {
  readonly runs: readonly Run[];
  readonly commands: readonly Command[];
}

/** A run or command that its job's object does not keep any more. */
export interface Forgotten {
  readonly id: string;
  /** Higher than any it had: what is newer than this is another one that took its place. */
  readonly seq: number;
}

/** The changes that one job's object has to tell. */
export interface JobChanges extends Changes {
  readonly job: string;
  readonly forgottenRuns: readonly Forgotten[];
  readonly forgottenCommands: readonly Forgotten[];
}

/** What goes to D1 at once weighs at most this. With a command line of 4 KiB in every run it is half a megabyte. */
export const MAX_BATCH_WEIGHT = 100;

/** So many targets of a command are as much JSON as a run. */
const TARGETS_PER_WEIGHT = 25;

function weighCommand(command: Command): number {
  return 1 + command.targets.length / TARGETS_PER_WEIGHT;
}

/** How much they add to a batch, with a run as the unit. */
export function weighChanges({ runs, commands, forgottenRuns, forgottenCommands }: Omit<JobChanges, 'job'>): number {
  const forgotten = forgottenRuns.length + forgottenCommands.length;
  return runs.length + forgotten + commands.reduce((sum, command) => sum + weighCommand(command), 0);
}

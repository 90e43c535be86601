/**
 * Runs that have lost both their wrapper and its guardian: the next `leash` process gives them a guardian again, which
 * starts a successor. Until then no process holds the read ends of their pipes, so a command that prints gets SIGPIPE.
 */
import fs from 'node:fs';
import type { Environment } from '../config/config-file.ts';
import type { ControlPlane } from '../config/control-plane.ts';
import { environmentForOurselves } from '../launch/command-environment.ts';
import { describeError, type Log } from '../logging/log.ts';
import { openProcessTree, type ProcessTreeOrigin } from '../processes/process-tree.ts';
import type { RunFacts } from '../state/run-file.ts';
import { isAdoptable, iterateUnfinishedRuns } from '../state/run-listing.ts';
import type { State } from '../state/state-directory.ts';
import { type GuardianPlan, isGuarded, type ReadEnds, startGuardianOfOrphan } from './guardian.ts';
import { createGuardianPlan } from './guardian-plan.ts';

/** What a successor gets from us. */
export interface SuccessorSettings {
  readonly environment: Environment;
  /** Null when we have none. Its token is only for runs of the same control plane. */
  readonly controlPlane: ControlPlane | null;
}

/**
 * Gives every such run a guardian. Never fails.
 *
 * @param signal ends the search for them
 * @returns the ids of those that have one now
 */
export async function rescueOrphans(
  state: State,
  settings: SuccessorSettings,
  log: Log,
  signal?: AbortSignal,
): Promise<string[]> {
  const rescued: string[] = [];
  for await (const each of iterateUnfinishedRuns(state.directory, state.processes)) {
    if (signal?.aborted === true) break;
    if (!isAdoptable(each, state.processes) || each.facts.kind !== 'read' || isTakenOver(each.run)) continue;
    if (rescue(each.facts.value, settings, log)) rescued.push(each.run);
  }
  return rescued;
}

/** On a disk that can't be written, the record still names the dead wrapper and guardian. */
function isTakenOver(run: string): boolean {
  try {
    return isGuarded(run);
  } catch {
    // The process table can't be read: the record decides.
    return false;
  }
}

/** Whether a successor could reach the run's control plane: where no file holds the token it needs ours. */
function canSupervise({ control_plane: target }: RunFacts, { controlPlane }: SuccessorSettings): boolean {
  return target === null || target.token_file !== null || target.url === controlPlane?.baseUrl;
}

/** Gives one run a guardian, which starts a successor at once. Never fails. Returns whether it has one. */
export function rescue(facts: RunFacts, settings: SuccessorSettings, log: Log): boolean {
  const { process_tree: origin, run, job } = facts;
  if (origin === null || !canSupervise(facts, settings)) return false;
  log.info(`run ${run} of ${job} has lost its wrapper: starting a new one`);
  const pipes = reopenPipes(origin);
  const isStarted = guardOrphan(facts, createGuardianPlan(facts, origin.leader.pid), pipes, settings, log);
  for (const fd of [pipes.stdout, pipes.stderr]) if (fd !== null) fs.closeSync(fd);
  return isStarted;
}

/** Starts a keeper for what a run has left running. The run's end has been recorded. Never fails. */
export function startKeeper(facts: RunFacts, settings: SuccessorSettings, log: Log): void {
  const { process_tree: origin, run, job } = facts;
  if (origin === null) return;
  log.info(`run ${run} of ${job} has left processes running: starting a keeper for them`);
  // Their pipes need no reader any more, and our death must not end them.
  guardOrphan(
    facts,
    { ...createGuardianPlan(facts, origin.leader.pid), kind: 'keep' },
    { stdout: null, stderr: null },
    settings,
    log,
  );
}

function guardOrphan(
  facts: RunFacts,
  plan: GuardianPlan,
  pipes: ReadEnds,
  settings: SuccessorSettings,
  log: Log,
): boolean {
  try {
    startGuardianOfOrphan(plan, pipes, environmentFor(facts, settings));
    return true;
  } catch (error) {
    // Too many processes, too many open files: the next `leash` process tries again.
    log.info(`cannot take over run ${facts.run} of ${facts.job} now: ${describeError(error)}`);
    return false;
  }
}

function environmentFor(
  { control_plane: target }: RunFacts,
  { environment, controlPlane }: SuccessorSettings,
): Environment {
  const { LEASH_TOKEN: token, ...rest } = environmentForOurselves(environment);
  const isOurs = target !== null && target.url === controlPlane?.baseUrl;
  if (!isOurs) return rest;
  return controlPlane.token.kind === 'value' ? { ...rest, LEASH_TOKEN: controlPlane.token.token } : rest;
}

/** Opens the read ends of the command's pipes again, by way of a process that prints into them. */
function reopenPipes(origin: ProcessTreeOrigin): ReadEnds {
  const pids = openProcessTree(origin).members();
  const [stdout = null, stderr = null] = origin.pipes.map((name) => openReadEnd(name, pids));
  return { stdout, stderr };
}

function openReadEnd(name: string, pids: readonly number[]): number | null {
  for (const pid of pids) {
    for (const fd of [1, 2]) {
      const file = `/proc/${pid}/fd/${fd}`;
      try {
        if (fs.readlinkSync(file) === name) return openBlocking(file);
      } catch {
        // EACCES: it has become another user's. ENOENT: it has ended, or has closed it.
      }
    }
  }
  return null;
}

/** In blocking mode, without waiting for a writer: the last one may have exited by now. */
function openBlocking(fifo: string): number {
  const both = fs.openSync(fifo, fs.constants.O_RDWR);
  try {
    return fs.openSync(fifo, fs.constants.O_RDONLY);
  } finally {
    fs.closeSync(both);
  }
}

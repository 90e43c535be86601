/** Commands that lost their wrapper before their end was recorded, and run on. */
import { rescue, type SuccessorSettings } from '../guardian/rescue.ts';
import { EMPTY_CHECKPOINT } from '../journal/checkpoint.ts';
import { saveCheckpointIn } from '../journal/run-journal.ts';
import type { EndRequest } from '../kill/decide.ts';
import { killTree } from '../kill/kill-tree.ts';
import type { Log } from '../logging/log.ts';
import { findRelated, programOf, relatedText } from '../processes/describe-processes.ts';
import { emptyTree, openProcessTree, type ProcessTree } from '../processes/process-tree.ts';
import { redactionRules } from '../redact/redactor.ts';
import { removeDelivered } from '../state/cleanup.ts';
import { claim } from '../state/run-directory.ts';
import type { RunFacts } from '../state/run-file.ts';
import { iterateUnfinishedRuns, listRuns } from '../state/run-listing.ts';
import type { State } from '../state/state-directory.ts';

export interface Orphan {
  readonly facts: RunFacts;
  readonly tree: ProcessTree;
  /** Pids of its living processes, at least one. */
  readonly members: readonly number[];
}

/** All of this user on this machine, oldest first. */
export async function findOrphans(state: State): Promise<Orphan[]> {
  const listed = await listRuns(state.directory, state.processes);
  return listed.flatMap(({ ended, facts }) => {
    // What a command leaves behind after its end has been recorded is no orphan: it may be meant to stay.
    if (ended || facts.kind !== 'read' || facts.value.process_tree === null) return [];
    // Not whether the record is anyone's: it is a flusher's while that tries to send it.
    if (state.processes.isRunning(facts.value.wrapper)) return [];
    const tree = openProcessTree(facts.value.process_tree);
    const members = tree.members();
    return members.length === 0 ? [] : [{ facts: facts.value, tree, members }];
  });
}

/** The pid of the living process that has taken a run over; null when nobody has. */
export async function wrapperOf(run: string, state: State): Promise<number | null> {
  for await (const { run: each, facts } of iterateUnfinishedRuns(state.directory, state.processes)) {
    if (each !== run || facts.kind !== 'read') continue;
    const { wrapper, supervision } = facts.value;
    return supervision.successor > 0 && state.processes.isRunning(wrapper) ? wrapper.pid : null;
  }
  return null;
}

/** Removes the records of runs of which nothing is left to find or to send. */
export async function removeSpent(state: State): Promise<void> {
  for (const { path, free, uploaded, facts } of await listRuns(state.directory, state.processes)) {
    if (!free || facts.kind !== 'read') continue;
    const isReported = uploaded || facts.value.control_plane === null;
    const tree = facts.value.process_tree === null ? emptyTree : openProcessTree(facts.value.process_tree);
    if (!isReported || tree.members().length > 0) continue;
    const directory = await claim(path, state.processes);
    if (directory === null) continue;
    tree.release();
    await removeDelivered(directory, state.directory, state.processes);
  }
}

/** How killing a process tree went. */
export interface KillOutcome {
  /** Pids of those that could not be ended. */
  readonly survivors: readonly number[];
  /** Those that were left alone, each with its name. */
  readonly related: readonly string[];
}

/** Kills a process tree, and logs which related processes were left alone. Never rejects. */
export async function killAndDescribe(
  tree: ProcessTree,
  how: Omit<EndRequest, 'cause'>,
  log: Log,
): Promise<KillOutcome> {
  const survivors = await killTree(tree, how, log);
  // Whole command lines may hold secrets, and nothing is known here of which.
  const related = findRelated(tree, redactionRules([]), log).map((each) =>
    relatedText({ ...each, command_line: programOf(each.command_line) }),
  );
  if (related.length > 0) log.info(`related, not killed: ${related.join(', ')}`);
  tree.release();
  return { survivors, related };
}

/** Ends it, and leaves it to a successor to tell of that. */
export async function killOrphan(
  { facts, tree }: Orphan,
  how: Omit<EndRequest, 'cause'>,
  settings: SuccessorSettings,
  log: Log,
): Promise<KillOutcome> {
  log.info(`ending run ${facts.run} of ${facts.job}`);
  const ended = await killAndDescribe(tree, how, log);
  const { survivors } = ended;
  const { journal } = facts.supervision;
  if (journal !== null) {
    saveCheckpointIn(journal, {
      ...EMPTY_CHECKPOINT,
      termination: {
        ...EMPTY_CHECKPOINT.termination,
        stage: { kind: 'gone', reason: 'local_signal', survivors, unnamedSurvivors: false },
      },
    });
  }
  rescue(facts, settings, log);
  return ended;
}

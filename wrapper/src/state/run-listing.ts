/** The runs in a state directory, without owning any of them. */
import path from 'node:path';
import * as v from 'valibot';
import { RunId } from '#protocol/names';
import type { ControlPlane } from '../config/control-plane.ts';
import { isInOurNamespace } from '../processes/process-ref.ts';
import { openProcessTree } from '../processes/process-tree.ts';
import { stateRoots } from './fallback-directory.ts';
import { listNames, readJson } from './files.ts';
import { isFree, type Processes, readOwner } from './owner.ts';
import { END_FILE, FACTS_FILE, runsIn, UPLOADED_FILE } from './run-directory.ts';
import { type Read, type RunFacts, readFacts } from './run-file.ts';

export interface ListedRun {
  readonly path: string;
  readonly run: string;
  readonly facts: Read<RunFacts>;
  /** Whether its wrapper has recorded how it ended. */
  readonly ended: boolean;
  /** See `markUploaded`. */
  readonly uploaded: boolean;
  /** Whether neither its owner nor its guardian is alive, so that it may be claimed. */
  readonly free: boolean;
}

/** All runs, oldest first. Never fails. */
export async function listRuns(stateDirectory: string, processes: Processes): Promise<ListedRun[]> {
  const runs: ListedRun[] = [];
  for await (const run of iterateRuns(stateDirectory, processes)) runs.push(run);
  return runs;
}

/** The same one at a time, for callers that don't need all: there may be thousands. */
export function iterateRuns(stateDirectory: string, processes: Processes): AsyncGenerator<ListedRun> {
  return iterateListed(stateDirectory, processes, () => true);
}

/** Only the runs of which no end is known: few, however many runs an outage has left. */
export function iterateUnfinishedRuns(stateDirectory: string, processes: Processes): AsyncGenerator<ListedRun> {
  return iterateListed(
    stateDirectory,
    processes,
    (names) => !names.includes(END_FILE) && !names.includes(UPLOADED_FILE),
  );
}

/** @param isWanted decides by the names in a run's directory, before any file is read */
async function* iterateListed(
  stateDirectory: string,
  processes: Processes,
  isWanted: (names: readonly string[]) => boolean,
): AsyncGenerator<ListedRun> {
  for (const directory of await runDirectoriesOf(stateDirectory)) {
    const run = path.basename(directory);
    const names = await listNames(directory);
    if (names.length === 0 || !isWanted(names)) continue;
    const facts = await readJson(path.join(directory, FACTS_FILE), readFacts);
    const ended = names.includes(END_FILE);
    const owner = await readOwner(directory).catch(() => ({ kind: 'unclear' }) as const);
    yield {
      path: directory,
      run,
      facts,
      ended,
      uploaded: names.includes(UPLOADED_FILE),
      free: (ended || !isGuarded(facts, processes)) && (await isFree(directory, owner, processes)),
    };
  }
}

/** Of all roots, oldest first. The copy on disk of a run whose end is in memory isn't a run of its own. */
async function runDirectoriesOf(stateDirectory: string): Promise<string[]> {
  const found = new Map<string, string>();
  for (const root of await stateRoots(stateDirectory)) {
    for (const run of await listNames(runsIn(root))) {
      if (v.is(RunId, run) && !found.has(run)) found.set(run, path.join(runsIn(root), run));
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, directory]) => directory);
}

/** Whether a guardian is about to start a successor: meanwhile the run has no living owner. */
function isGuarded(facts: Read<RunFacts>, processes: Processes): boolean {
  const guardian = facts.kind === 'read' ? facts.value.supervision.guardian : null;
  // A guardian in another PID namespace can't be seen, and may be gone with the namespace.
  return guardian !== null && isInOurNamespace(guardian) && processes.isRunning(guardian);
}

/** Whether processes of the run are still running without a wrapper, so that a successor can supervise them. */
export function isAdoptable({ free, ended, uploaded, facts }: ListedRun, processes: Processes): boolean {
  if (!free || ended || uploaded || facts.kind !== 'read') return false;
  const { process_tree: origin } = facts.value;
  // A run in another PID namespace can only be taken over from there.
  if (origin === null || !isInOurNamespace(origin.leader)) return false;
  return processes.isRunning(origin.leader) || openProcessTree(origin).remaining().length > 0;
}

/**
 * Whether this run is ours to send: it is free, its command has ended, it isn't sent yet, and it belongs to our control
 * plane.
 */
export function isToBeSent(listed: ListedRun, { baseUrl }: ControlPlane, processes: Processes): boolean {
  const { free, uploaded, facts } = listed;
  if (!free || uploaded || facts.kind !== 'read' || isAdoptable(listed, processes)) return false;
  // A token is never shown to another control plane than its own.
  return facts.value.control_plane?.url === baseUrl;
}

/** Whether a flusher is probably sending it now: its wrapper is gone, and its owner is alive. */
export function isBeingSent({ free, uploaded, facts }: ListedRun, processes: Processes): boolean {
  return !free && !uploaded && facts.kind === 'read' && !processes.isRunning(facts.value.wrapper);
}

/** What is left of runs in a state directory, as anybody may see it. */
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
  /** Whether its wrapper told how it ended. */
  readonly ended: boolean;
  /** See `markUploaded`. */
  readonly uploaded: boolean;
  /** Whether it belongs to nobody who lives or has a guardian that does, so that it may be claimed. */
  readonly free: boolean;
}

/** All runs of which something is left, oldest first. Never fails. */
export async function listRuns(stateDirectory: string, processes: Processes): Promise<ListedRun[]> {
  const runs: ListedRun[] = [];
  for await (const run of iterateRuns(stateDirectory, processes)) runs.push(run);
  return runs;
}

/** The same one by one, for who need not see all: there may be thousands. */
export function iterateRuns(stateDirectory: string, processes: Processes): AsyncGenerator<ListedRun> {
  return iterateListed(stateDirectory, processes, () => true);
}

/** The same for those of which no end is known: few, however many have been left by an outage. */
export function iterateUnfinishedRuns(stateDirectory: string, processes: Processes): AsyncGenerator<ListedRun> {
  return iterateListed(
    stateDirectory,
    processes,
    (names) => !names.includes(END_FILE) && !names.includes(UPLOADED_FILE),
  );
}

/** @param isWanted by the names in its directory, before any file is read */
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

/** Of all its roots, oldest first. What the disk has of a run whose end is kept in memory is no run of its own. */
async function runDirectoriesOf(stateDirectory: string): Promise<string[]> {
  const found = new Map<string, string>();
  for (const root of await stateRoots(stateDirectory)) {
    for (const run of await listNames(runsIn(root))) {
      if (v.is(RunId, run) && !found.has(run)) found.set(run, path.join(runsIn(root), run));
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, directory]) => directory);
}

/** Whether somebody is about to take it over: for a moment it belongs to nobody who lives. */
function isGuarded(facts: Read<RunFacts>, processes: Processes): boolean {
  const guardian = facts.kind === 'read' ? facts.value.supervision.guardian : null;
  // One of another PID namespace can't be seen, and may be gone with it.
  return guardian !== null && isInOurNamespace(guardian) && processes.isRunning(guardian);
}

/** Whether its command, or something that it has started, runs on without anybody, and can be supervised again. */
export function isAdoptable({ free, ended, uploaded, facts }: ListedRun, processes: Processes): boolean {
  if (!free || ended || uploaded || facts.kind !== 'read') return false;
  const { process_tree: origin } = facts.value;
  // What runs in another PID namespace is for somebody there to take over.
  if (origin === null || !isInOurNamespace(origin.leader)) return false;
  return processes.isRunning(origin.leader) || openProcessTree(origin).remaining().length > 0;
}

/**
 * Whether this is for us to send: nobody else has it, its command is over, it is not sent yet, and it belongs to our
 * control plane.
 */
export function isToBeSent(listed: ListedRun, { baseUrl }: ControlPlane, processes: Processes): boolean {
  const { free, uploaded, facts } = listed;
  if (!free || uploaded || facts.kind !== 'read' || isAdoptable(listed, processes)) return false;
  // A token is never shown to another control plane than the one that it is for.
  return facts.value.control_plane?.url === baseUrl;
}

/** Whether a flusher has it just now, as far as that can be told: its wrapper is gone, and its owner is not. */
export function isBeingSent({ free, uploaded, facts }: ListedRun, processes: Processes): boolean {
  return !free && !uploaded && facts.kind === 'read' && !processes.isRunning(facts.value.wrapper);
}

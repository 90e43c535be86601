/** What a command leaves running after its exit. A person decides whether that is meant. */
import type { LeftProcess } from '#protocol/machine-facts';
import { describeError, type Log } from '../logging/log.ts';
import type { RedactionRules } from '../redact/redactor.ts';
import { describeProcesses } from './describe-processes.ts';
import type { ProcessTree } from './process-tree.ts';

/** What exits a moment after the command, as the other end of its last pipe, is not left running. */
const LOOK_AGAIN_MS = [20, 100];

/**
 * Finds and describes what is left of a tree whose command has exited and that nobody is killing, and its related
 * processes. Takes a single look where nothing is left. Never rejects.
 */
export async function findLeftRunning(
  tree: Pick<ProcessTree, 'remaining' | 'related'>,
  rules: RedactionRules,
  log: Log,
): Promise<readonly LeftProcess[]> {
  try {
    const pids = await remainingAfterAMoment(tree);
    return describeProcesses(pids, tree.related(), rules);
  } catch (error) {
    // Out of file descriptors, most likely.
    log.info(`cannot look for processes that the command has left running: ${describeError(error)}`);
    return [];
  }
}

/** What is left of a tree whose command has exited. Takes a single look where nothing is. Rejects as `remaining` throws. */
export async function remainingAfterAMoment(tree: Pick<ProcessTree, 'remaining'>): Promise<readonly number[]> {
  let pids = tree.remaining();
  for (const pauseMs of LOOK_AGAIN_MS) {
    if (pids.length === 0) break;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    pids = tree.remaining();
  }
  return pids;
}

/** Whether a member or a related process is left. Throws when the process table can't be read. */
export function isAnythingLeft(tree: Pick<ProcessTree, 'remaining' | 'related'>): boolean {
  return tree.remaining().length > 0 || tree.related().length > 0;
}

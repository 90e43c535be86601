/** Runs of which something is left on disk, as one who would send it sees them. */
import type { ControlPlane } from '../config/control-plane.ts';
import { isInOurNamespace } from '../processes/process-ref.ts';
import { openProcessTree } from '../processes/process-tree.ts';
import type { Processes } from './owner.ts';
import type { ListedRun } from './run-listing.ts';

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

/** Who sends to the same place with the same credential is the same. */
export function flusherKey({ baseUrl, token }: ControlPlane): string {
  const credential = token.kind === 'file' ? `file ${token.path}` : `token ${token.token}`;
  return `${baseUrl}\n${credential}`;
}

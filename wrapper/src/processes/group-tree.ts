/** A process tree for when the process table can't be read: the command's process group alone. */
import { performance } from 'node:perf_hooks';
import type { Cgroup } from './cgroup.ts';
import { isAnybodyAt } from './process-ref.ts';
import type { ProcessTree } from './process-tree.ts';

/**
 * @param leader the command's pid, which is also its group's id
 * @param cgroup the run's, to be removed in the end
 * @param exited resolves when the leader's exit has been collected: from then on its pid may be another's
 */
export function groupTree(leader: number, cgroup: Cgroup | null, exited: Promise<unknown>): ProcessTree {
  let isCollected = false;
  void exited.then(() => {
    isCollected = true;
  });
  const members = () => (isAnybodyAt(-leader) ? [leader] : []);
  return {
    // Who is in it can't be told, only whether anybody is.
    members,
    remaining: members,
    observe: () => null,
    prepare: () => false,
    rehearse: () => {},
    // Before that it is not known.
    leaderHasExited: () => isCollected,
    mayHoldOutput: () => true,
    signal: (...signals) => sendToGroup(leader, signals),
    // An environment can't be read.
    related: () => [],
    includeRelated: () => {},
    release: () => {
      cgroup?.remove();
    },
  };
}

function sendToGroup(leader: number, signals: readonly NodeJS.Signals[]): number | null {
  let sentAt: number | null = null;
  try {
    for (const signal of signals) {
      process.kill(-leader, signal);
      sentAt ??= performance.now();
    }
  } catch {
    // ESRCH: nobody is left. EPERM: nobody who may be signalled.
  }
  return sentAt;
}

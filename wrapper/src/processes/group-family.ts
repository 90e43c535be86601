/** The least that can be known of a run's processes, where the process table can't be read: the command's group. */
import type { Cgroup } from './cgroup.ts';
import type { ProcessFamily } from './family.ts';
import { isAnybodyAt } from './process-ref.ts';

/**
 * @param leader the command's pid, which is also its group's id
 * @param cgroup the run's, to be removed in the end
 */
export function groupFamily(leader: number, cgroup: Cgroup | null): ProcessFamily {
  const members = () => (isAnybodyAt(-leader) ? [leader] : []);
  return {
    // Who is in it can't be told, only whether anybody is.
    members,
    remaining: members,
    observe: () => null,
    // Not known, and told by the exit itself.
    leaderHasExited: () => false,
    mayHoldOutput: () => true,
    signal: (signal) => sendToGroup(leader, signal),
    release: () => {
      cgroup?.remove();
    },
  };
}

function sendToGroup(leader: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-leader, signal);
    return true;
  } catch {
    // ESRCH: nobody is left. EPERM: nobody who may be signalled.
    return false;
  }
}

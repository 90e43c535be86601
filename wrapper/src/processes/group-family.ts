/** The least that can be known of a run's processes, where the process table can't be read: the command's group. */
import { hasCode } from '../error-code.ts';
import type { Cgroup } from './cgroup.ts';
import type { ProcessFamily } from './family.ts';

/**
 * @param leader the command's pid, which is also its group's id
 * @param cgroup the run's, to be removed in the end
 */
export function groupFamily(leader: number, cgroup: Cgroup | null): ProcessFamily {
  return {
    // Who is in it can't be told, only whether anybody is.
    members: () => (sendToGroup(leader, 0) ? [leader] : []),
    observe: () => null,
    // Not known, and told by the exit itself.
    leaderHasExited: () => false,
    signal: (signal) => sendToGroup(leader, signal),
    release: () => {
      cgroup?.remove();
    },
  };
}

function sendToGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-leader, signal);
    return true;
  } catch (error) {
    // ESRCH: nobody is left. EPERM: somebody is, who may not be signalled.
    return hasCode(error, 'EPERM') && signal === 0;
  }
}

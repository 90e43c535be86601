/** A process tree for when the process table can't be read: the command's process group alone. */
import { performance } from 'node:perf_hooks';
import type { Cgroup } from './cgroup.ts';
import { isAnybodyAt } from './process-ref.ts';
import type { ProcessTree } from './process-tree.ts';
import { sendSignals } from './send-signals.ts';

const SYSTEM = {
  kill: (target: number, signal: NodeJS.Signals) => process.kill(target, signal),
  now: () => performance.now(),
};

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
    known: () => (isCollected ? [] : [{ pid: leader, startTime: null }]),
    cgroupCpuMs: () => cgroup?.cpuMs() ?? null,
    rehearse: () => {},
    // Before that it is not known.
    leaderHasExited: () => isCollected,
    mayHoldOutput: () => true,
    signal: (...signals) => sendSignals(-leader, signals, SYSTEM),
    // An environment can't be read.
    related: () => [],
    includeRelated: () => {},
    release: () => {
      cgroup?.remove();
    },
  };
}

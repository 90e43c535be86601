/** Looks for a run's new processes from time to time, so that they are known when their parents have exited, and prepares for a kill. */
import { performance } from 'node:perf_hooks';
import { describeError, type Log } from '../logging/log.ts';
import type { ProcessTree } from './process-tree.ts';

const SHORTEST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
const BACK_OFF = 1.5;
/** At most this share of one processor's time goes into looking, however large the tree is. */
const LOOK_SHARE = 0.005;

/**
 * The same for the preparation: it happens once, and takes a fifth of a second where there are thousands of processes. A
 * kill that comes earlier does the rest itself.
 */
const PREPARE_SHARE = 0.1;

/**
 * Observes `tree`: often while new processes appear, rarely while none do. Keeps no program alive.
 *
 * @returns a function that stops it
 */
export function watchTree(tree: Pick<ProcessTree, 'observe' | 'prepare'>, log: Log): () => void {
  // Elsewhere a look costs the start of another program each time.
  if (process.platform !== 'linux') return () => {};
  const timers = new Map<() => boolean, NodeJS.Timeout>();
  let pauseMs = SHORTEST_PAUSE_MS;
  const repeat = (look: () => boolean, share: number, pause: () => number) => {
    const run = () => {
      const before = performance.now();
      if (look()) wait(Math.max(pause(), (performance.now() - before) / share));
    };
    const wait = (ms: number) => timers.set(look, setTimeout(run, ms).unref());
    wait(SHORTEST_PAUSE_MS);
  };
  const observe = () => {
    const found = tryTo(() => tree.observe(), 0, log);
    if (found === null) return false;
    pauseMs = found > 0 ? SHORTEST_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, pauseMs * BACK_OFF);
    return true;
  };
  repeat(observe, LOOK_SHARE, () => pauseMs);
  repeat(
    () => tryTo(() => tree.prepare(), false, log),
    PREPARE_SHARE,
    () => 0,
  );
  return () => {
    for (const timer of timers.values()) clearTimeout(timer);
  };
}

function tryTo<Result>(look: () => Result, otherwise: Result, log: Log): Result {
  try {
    return look();
  } catch (error) {
    // Out of file descriptors, most likely; the next look may succeed.
    log.info(`cannot list the command's processes: ${describeError(error)}`);
    return otherwise;
  }
}

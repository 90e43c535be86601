/** Looks for a run's new processes from time to time, so that they are known when their parents have exited. */
import { performance } from 'node:perf_hooks';
import { describeError, type Log } from '../logging/log.ts';
import type { ProcessTree } from './process-tree.ts';

const SHORTEST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
const BACK_OFF = 1.5;
/** At most this share of one processor's time goes into looking, however large the tree is. */
const LOOK_SHARE = 0.005;

/**
 * Observes `tree`: often while new processes appear, rarely while none do. Keeps no program alive.
 *
 * @returns a function that stops it
 */
export function watchTree(tree: Pick<ProcessTree, 'observe'>, log: Log): () => void {
  // Elsewhere a look costs the start of another program each time.
  if (process.platform !== 'linux') return () => {};
  let timer: NodeJS.Timeout;
  let pauseMs = SHORTEST_PAUSE_MS;
  const wait = (ms: number) => {
    timer = setTimeout(look, ms);
    timer.unref();
  };
  const look = () => {
    const before = performance.now();
    let found: number | null = 0;
    try {
      found = tree.observe();
    } catch (error) {
      // Out of file descriptors, most likely; the next look may succeed.
      log.info(`cannot list the command's processes: ${describeError(error)}`);
    }
    if (found === null) return;
    pauseMs = found > 0 ? SHORTEST_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, pauseMs * BACK_OFF);
    wait(Math.max(pauseMs, (performance.now() - before) / LOOK_SHARE));
  };
  wait(SHORTEST_PAUSE_MS);
  return () => clearTimeout(timer);
}

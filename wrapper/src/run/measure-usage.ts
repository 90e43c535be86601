/** Measures what a run takes, where somebody may want to know: a control plane, or a limit of its own. */
import { UsageMeter } from '../usage/usage-meter.ts';
import { endByLimit } from './end-command.ts';
import type { RunContext } from './run-context.ts';

/** @returns null where nobody wants to know, or that can't be measured here */
export function startMeter(context: RunContext): UsageMeter | null {
  const { options, uplink, tree, age, waitedForBefore, log } = context;
  const { maxMemoryBytes, maxCpuMs } = options;
  const isLimited = maxMemoryBytes !== null || maxCpuMs !== null;
  if (process.platform !== 'linux') {
    if (isLimited) log.warn('--max-memory and --max-cpu have no effect on this system: they need the /proc of Linux');
    return null;
  }
  if (uplink === null && !isLimited) return null;
  const meter = new UsageMeter({
    tree,
    age,
    limits: { maxMemoryBytes, maxCpuMs },
    waitedForBefore,
    onReached: (limit) => endByLimit(context, limit),
    onMeasured: (usage) => uplink?.usage(usage),
    log,
  });
  if (uplink !== null) uplink.onWatched = (isWatched) => meter.watch(isWatched);
  return meter;
}

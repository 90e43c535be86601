/** No two runs at once where one has asked for that, and a number for each admission. */
import type { RunEvent } from '#protocol/api';
import { type ReportedRun, timeOf } from '../reported-run.ts';
import type { RoundLog } from '../round-log.ts';
import type { ChaosRun } from '../run.ts';

export function checkOverlap(reported: readonly ReportedRun[], log: RoundLog): void {
  const fences = new Map<string, ChaosRun>();
  for (const { run, now } of reported) {
    const { fence } = run;
    if (fence === null) continue;
    if (fence !== now.fence)
      log.fail(`${run.name} has started with the fence ${fence}, and is reported with ${now.fence}`);
    const key = `${run.job} ${fence}`;
    const other = fences.get(key);
    if (other !== undefined) log.fail(`${run.name} and ${other.name} have the same fence ${fence}`);
    fences.set(key, run);
  }
  for (const one of reported)
    for (const other of reported) {
      if (one === other || !mustBeAlone(one.run, other.run) || !wereAliveTogether(one.run, other.run)) continue;
      if (isExplained(one, other)) continue;
      log.fail(`${one.run.name} was admitted, and ran beside ${other.run.name}: ${describe(one)}, ${describe(other)}`);
    }
}

/** Whether `run` was admitted as one that does not run beside `other`. */
function mustBeAlone(run: ChaosRun, other: ChaosRun): boolean {
  const { asking } = run.plan;
  if (run.fence === null || asking === null || asking.overlap === 'allow' || run.job !== other.job) return false;
  return asking.scope === 'job' || run.machine === other.machine;
}

/** As their commands have written down, which is less than the truth: so nothing here depends on who was faster. */
function wereAliveTogether({ notes: { alive: one } }: ChaosRun, { notes: { alive: other } }: ChaosRun): boolean {
  return one !== null && other !== null && one.first < other.last && other.first < one.last;
}

/**
 * Whether its events tell of it, or it could not be known: one of them was lost, or the other was free to start, and was not
 * heard of while both ran.
 */
function isExplained(one: ReportedRun, other: ReportedRun): boolean {
  if (tellsOf(one.events, other) || tellsOf(other.events, one)) return true;
  if (has(one.events, 'lost') || has(other.events, 'lost')) return true;
  return !mustBeAlone(other.run, one.run) && !wasHeardOf(other, one);
}

function tellsOf(events: readonly RunEvent[], { now }: ReportedRun): boolean {
  return events.some((event) => event.type === 'overlapped' && event.runs.some(({ run }) => run === now.id));
}

/** Whether its wrapper was connected all along, and before either had ended. One that asks is connected before it starts. */
function wasHeardOf({ run, events }: ReportedRun, beside: ReportedRun): boolean {
  const connectedAt = timeOf(events, 'connected');
  if (run.plan.asking !== null || connectedAt === null || has(events, 'disconnected')) return false;
  return [events, beside.events].every((all) => connectedAt < (timeOf(all, 'ended') ?? Number.POSITIVE_INFINITY));
}

function has(events: readonly RunEvent[], type: RunEvent['type']): boolean {
  return events.some((event) => event.type === type);
}

function describe({ run, now }: ReportedRun): string {
  return `${run.name} (${now.id}, fence ${now.fence}) ${JSON.stringify(run.notes.alive)}`;
}

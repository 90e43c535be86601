/** What asks while a brake, or maintenance, stands is not started. */
import type { Brakes } from '../brakes.ts';
import { type ReportedRun, timeOf } from '../reported-run.ts';
import type { RoundLog } from '../round-log.ts';

export function checkBrakes(reported: readonly ReportedRun[], brakes: Brakes, log: RoundLog): void {
  for (const { run, now, events } of reported) {
    const admittedAt = timeOf(events, 'admitted');
    if (admittedAt === null) continue;
    for (const order of brakes.standingAt(admittedAt, now)) {
      // What was about to connect when the order was given may have been asked about before.
      const isLater = run.startedAt > order.standsSince;
      const blockedAt = timeOf(events, 'blocked');
      const isEarlier =
        blockedAt !== null && blockedAt < order.calledAt && !events.some(({ type }) => type === 'disconnected');
      if (isLater || isEarlier) log.fail(`${run.name} was admitted against ${JSON.stringify(order)}`);
    }
  }
}

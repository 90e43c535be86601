/** Each end that is to be reported has reached the receiver, as one message, and nothing else has. */
import { waitFor } from '#testing/wait-for';
import { REPORTED_ENDS } from '../alerts.ts';
import type { ReportedRun } from '../reported-run.ts';
import type { Round } from '../round.ts';

export async function checkAlerts({ alerts, brakes, log }: Round, reported: readonly ReportedRun[]): Promise<void> {
  const due = reported.filter(({ now }) => isReported(now) && !brakes.concern(now));
  const missing = () => due.filter(({ run }) => alerts.messagesOf(run.plan.index).length === 0);
  await alerts.settle();
  await waitFor('the alerts to come', () => missing().length === 0).catch(() => {
    for (const { run, now } of missing()) log.fail(`${run.name}: no alert has told that it is ${now.state}`);
  });
  for (const alert of await alerts.settle()) {
    const failed = alert.deliveries.filter(({ state }) => state !== 'delivered');
    if (failed.length > 0) log.fail(`of the alert ${alert.name} was given up: ${JSON.stringify(failed)}`);
  }
  for (const { run, now } of reported) {
    const messages = alerts.messagesOf(run.plan.index);
    // Sent again, it is the same message.
    const ids = new Set(messages.map(({ id }) => id));
    if (ids.size > 1) log.fail(`${run.name}: its end was told by ${ids.size} messages: ${JSON.stringify(messages)}`);
    for (const message of messages) {
      const { kind, exit_code: exitCode, count } = message;
      if (message.run === now.id && kind === now.state && exitCode === now.exit_code && count === 1) continue;
      log.fail(`${run.name}: an alert tells something else than its end: ${JSON.stringify(message)}`);
    }
  }
}

function isReported({ state, reason }: ReportedRun['now']): boolean {
  return REPORTED_ENDS.some((end) => end === state) && reason !== 'brake' && reason !== 'maintenance';
}

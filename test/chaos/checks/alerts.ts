/** What is to be reported has reached the receiver, as one message, and nothing else has. */
import type { WebhookBody } from '#protocol/alerts';
import { waitFor } from '#testing/wait-for';
import { LATE, lateName, REPORTED_ENDS } from '../alerts.ts';
import type { ReportedRun } from '../reported-run.ts';
import type { Round } from '../round.ts';

/** What an alert of the round has to say. */
interface Due {
  readonly alert: string;
  readonly what: string;
  /** What a brake silences need not. */
  readonly mustCome: boolean;
  readonly message: Partial<WebhookBody>;
}

export async function checkAlerts({ alerts, brakes, expected, log }: Round, reported: readonly ReportedRun[]) {
  const all: readonly Due[] = [
    ...LATE.map((kind) => ({
      alert: lateName(expected, kind),
      what: `${expected} is ${kind}`,
      mustCome: false,
      message: { job: expected, kind, run: null },
    })),
    ...reported.flatMap(({ run, now }) => dueOf(run.tag, now, brakes.concern(now))),
  ];
  const isLateTold = () => LATE.some((kind) => alerts.messages(lateName(expected, kind)).length > 0);
  const missing = () => all.filter(({ alert, mustCome }) => mustCome && alerts.messages(alert).length === 0);
  await alerts.settle();
  await waitFor('the alerts to come', () => isLateTold() && missing().length === 0).catch(() => {
    if (!isLateTold()) log.fail(`no alert has told that ${expected} is late`);
    for (const { what } of missing()) log.fail(`no alert has told that ${what}`);
  });
  for (const { name, deliveries } of await alerts.settle()) {
    const failed = deliveries.filter(({ state }) => state !== 'delivered');
    if (failed.length > 0) log.fail(`of the alert ${name} was given up: ${JSON.stringify(failed)}`);
  }
  for (const { alert, what, message } of all) {
    const told = alerts.messages(alert);
    // Sent again, it is the same message.
    if (new Set(told.map(({ id }) => id)).size > 1)
      log.fail(`${what}, and that is told more than once: ${JSON.stringify(told)}`);
    for (const each of told)
      if (!saysOnly(each, message)) log.fail(`${what}, and an alert says ${JSON.stringify(each)}`);
  }
  const unknown = alerts.receiver.messages.filter(({ alert }) => !all.some((due) => due.alert === alert.name));
  if (unknown.length > 0) log.fail(`nothing is to be told of these: ${JSON.stringify(unknown)}`);
}

function dueOf(alert: string, { id, state, reason, exit_code }: ReportedRun['now'], isBraked: boolean): Due[] {
  const kind = REPORTED_ENDS.find((end) => end === state);
  // Who gave the order wanted that it is not started.
  if (kind === undefined || reason === 'brake' || reason === 'maintenance') return [];
  return [{ alert, what: `${id} is ${state}`, mustCome: !isBraked, message: { run: id, kind, exit_code } }];
}

function saysOnly(message: WebhookBody, due: Partial<WebhookBody>): boolean {
  return (
    message.count === 1 && Object.entries(due).every(([name, value]) => message[name as keyof WebhookBody] === value)
  );
}

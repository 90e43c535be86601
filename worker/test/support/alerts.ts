/** Alerts of a test, and receivers of their messages. */
import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { ulid } from 'ulid';
import * as v from 'valibot';
import { vi } from 'vitest';
import { type Alert, type NewAlert, type Occurrence, WebhookBody } from '#protocol/alerts';
import { waitFor } from '#testing/wait-for';
import { call } from './api.ts';
import { env } from './env.ts';

/** What a receiver answers with: a status, or nothing at all. */
type Answer = (request: Request) => Response | Promise<Response>;

export interface ReceivedMessage {
  readonly id: string;
  readonly kinds: readonly string[];
  readonly jobs: readonly string[];
  readonly count: number;
  readonly body: WebhookBody;
}

/** Receivers by their address, in place of the network. */
export class Receivers {
  readonly #answers = new Map<string, Answer>();
  readonly #bodies = new Map<string, string[]>();

  /** From now on, until `vi.unstubAllGlobals()`: the runtime, and with it what is global, is shared with other files. */
  static install(): Receivers {
    const receivers = new Receivers();
    vi.stubGlobal('fetch', (url: string, init?: RequestInit) => receivers.#fetch(new Request(url, init)));
    return receivers;
  }

  /** A new receiver. */
  open(answer: Answer = () => new Response('ok')): string {
    const url = `https://receiver.test/${ulid()}`;
    this.#answers.set(url, answer);
    return url;
  }

  /** How a receiver answers from now on. */
  answer(url: string, answer: Answer): void {
    this.#answers.set(url, answer);
  }

  /** What a receiver was sent, also what it did not take. */
  received(url: string): ReceivedMessage[] {
    return (this.#bodies.get(url) ?? []).map((text) => {
      const body = v.parse(WebhookBody, JSON.parse(text));
      const { id, count, occurrences } = body;
      return {
        id,
        count,
        body,
        kinds: occurrences.map((one) => one.kind),
        jobs: occurrences.map((one) => one.job),
      };
    });
  }

  /** The first occurrence of the nth message. */
  firstOccurrence(url: string, nth = 0): WebhookBody['occurrences'][number] | undefined {
    return this.received(url)[nth]?.body.occurrences[0];
  }

  async #fetch(request: Request): Promise<Response> {
    this.#bodies.set(request.url, [...(this.#bodies.get(request.url) ?? []), await request.text()]);
    const answer = this.#answers.get(request.url);
    if (answer === undefined) throw new TypeError(`nothing listens at ${request.url}`);
    return answer(request);
  }
}

export function alertsObject() {
  return env.ALERTS.getByName('alerts');
}

/** Begins without alerts. */
export async function clearAlerts(): Promise<void> {
  await runInDurableObject(alertsObject(), (_object, { storage: { sql } }) => {
    for (const table of ['rules', 'messages', 'occurrences', 'reported_jobs', 'problems', 'kill_links']) {
      sql.exec(`DELETE FROM ${table}`);
    }
  });
  await restartAlerts();
}

/** What a crash or a deploy does: memory is lost. */
export async function restartAlerts(): Promise<void> {
  const aborted = runInDurableObject(alertsObject(), async (_object, state) => {
    await state.storage.sync();
    state.abort('restarted by the test');
  });
  // The call dies with the object.
  await aborted.catch(() => {});
}

/** Creates an alert. */
export async function newAlert(url: string, alert: Partial<v.InferInput<typeof NewAlert>> = {}): Promise<Alert> {
  const body = {
    name: 'night shift',
    on: ['failed'],
    channel: { kind: 'webhook', url, secret: 'a-secret-of-this-test' },
    ...alert,
  };
  const response = await call('POST', '/alerts', { body });
  if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json<{ alert: Alert }>()).alert;
}

export async function getAlert(id: string): Promise<Alert> {
  return (await (await call('GET', `/alerts/${id}`)).json<{ alert: Alert }>()).alert;
}

/** Something that has happened, as a job's object would report it. */
export function occurrence(fields: Partial<Occurrence> = {}): Occurrence {
  const run = fields.run === undefined ? ulid() : fields.run;
  const kind = fields.kind ?? 'failed';
  return {
    id: `${run}:${kind}`,
    kind,
    at: Date.now(),
    job: 'backup',
    machine: 'web1',
    run,
    summary: 'exit code 1 after 3s',
    exitCode: 1,
    durationMs: 3_000,
    isAlive: false,
    tags: [],
    owner: null,
    runbook: null,
    ...fields,
  };
}

/** Reports occurrences as the gateway does. */
export async function report(...occurrences: readonly Occurrence[]): Promise<void> {
  await alertsObject().report(occurrences);
}

/** Advances time, fires the alarm of the alerts object if it is due, and lets it finish. */
export async function passAlerts(ms: number): Promise<void> {
  vi.setSystemTime(Date.now() + ms);
  await runDurableObjectAlarm(alertsObject());
  await alertsSettled();
}

/** Nothing of the alerts object is under way. */
export async function alertsSettled(): Promise<void> {
  await waitFor('the alerts object to be done', () => runInDurableObject(alertsObject(), (object) => object.isIdle));
}

/** When its alarm will fire; null: none is set. */
export function nextAlertsAlarm(): Promise<number | null> {
  return runInDurableObject(alertsObject(), (_object, { storage }) => storage.getAlarm());
}

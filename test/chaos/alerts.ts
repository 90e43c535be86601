/**
 * The alerts of a round, each for what happens once: the end of a run, by a tag of its own, and that a job is late, and then
 * missed. So each message is about one thing, and none waits for another.
 */
import * as v from 'valibot';
import { type Alert, AlertBody, type AlertKind } from '#protocol/alerts';
import { waitFor } from '#testing/wait-for';
import type { ApiClient } from '../../scripts/local/api-client.ts';
import { Receiver } from './receiver.ts';

/** The ends that alerts report, of which a run has one at most. */
export const REPORTED_ENDS = ['failed', 'timed_out', 'errored', 'killed', 'skipped'] as const;

/** What becomes of a job that does not come; after an outage it is missed without having been late. */
export const LATE = ['late', 'missed'] as const;

/** The name of an alert. */
export function lateName(job: string, kind: (typeof LATE)[number]): string {
  return `${job} ${kind}`;
}

/** Messages are found by its name. */
interface Rule {
  readonly name: string;
  readonly jobs?: string;
  readonly tags?: readonly string[];
  readonly on: readonly AlertKind[];
}

export class Alerts {
  readonly receiver: Receiver;
  readonly #api: ApiClient;
  readonly #ids: readonly string[];

  private constructor(receiver: Receiver, api: ApiClient, ids: readonly string[]) {
    this.receiver = receiver;
    this.#api = api;
    this.#ids = ids;
  }

  /**
   * @param tags one of each run
   * @param expected the job that will be late
   */
  static async create(api: ApiClient, tags: readonly string[], expected: string): Promise<Alerts> {
    const receiver = await Receiver.open();
    const channel = channelTo(receiver);
    const rules: readonly Rule[] = [
      ...tags.map((tag) => ({ name: tag, tags: [tag], on: REPORTED_ENDS })),
      ...LATE.map((kind) => ({ name: lateName(expected, kind), jobs: expected, on: [kind] })),
    ];
    const ids = rules.map(async (rule) => (await call(api, 'POST', '/alerts', { ...rule, channel })).id);
    return new Alerts(receiver, api, await Promise.all(ids));
  }

  /** What has reached the receiver by an alert: several with the same id if it was sent again. */
  messages(name: string): Receiver['messages'] {
    return this.receiver.messages.filter(({ alert }) => alert.name === name);
  }

  /** Waits until nothing is left to be sent, having had what failed sent again: as an operator does who has mended a channel. */
  async settle(): Promise<readonly Alert[]> {
    const channel = channelTo(this.receiver);
    for (const id of this.#ids) await call(this.#api, 'PATCH', `/alerts/${id}`, { channel });
    return waitFor('all alerts to be sent', async () => {
      const all = await Promise.all(this.#ids.map((id) => call(this.#api, 'GET', `/alerts/${id}`)));
      return all.every(({ deliveries }) => deliveries.every(({ state }) => state !== 'waiting')) && all;
    });
  }

  async end(): Promise<void> {
    for (const id of this.#ids) await this.#api.request('DELETE', `/alerts/${id}`);
    this.receiver.close();
  }
}

function channelTo({ url }: Receiver) {
  return { kind: 'webhook', url };
}

async function call(api: ApiClient, method: string, path: string, body?: unknown): Promise<Alert> {
  const response = await api.request(method, path, body);
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return v.parse(AlertBody, await response.json()).alert;
}

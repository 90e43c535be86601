/**
 * A real job object with real sockets and a real D1, for the model-based test.
 *
 * Frames are passed to the object where the runtime would pass them, so that a step is over when the call returns;
 * everything that the object sends goes over the sockets.
 */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { vi } from 'vitest';
import type { Kill, Run } from '#protocol/api';
import type { StandingOrder } from '#protocol/brakes';
import type { Expectation } from '#protocol/expectations';
import { type ObjectMessage, readObjectMessage } from '#protocol/wrapper-link';
import { waitFor } from '#testing/wait-for';
import { Expectations } from '../../../durable/job/expectations/expectations.ts';
import type { JobObject } from '../../../durable/job/job-object.ts';
import { attachmentOf } from '../../../durable/job/sockets.ts';
import { ADMIN_TOKEN_ID, credentialParameter } from '../../../shared/credential.ts';
import type { ValidCredentials } from '../../../shared/d1/open-sockets.ts';
import { sha256 } from '../../../shared/hash.ts';
import type { JobChanges } from '../../../shared/job-changes.ts';
import type { Committed, D1GatewayRpc, QueuePosition } from '../../../shared/rpc/d1-gateway.ts';
import type { EnforcedBrake, OfferResult } from '../../../shared/rpc/job-object.ts';
import { ordersParameter } from '../../../shared/rpc/standing-orders.ts';
import { env } from '../env.ts';
import { isOutboxEmpty, jobObject, restart } from '../objects.ts';

/** Sent on the object's sockets by the test: when it arrives, all that was sent before has arrived. */
const MARKER = 'marker ';

/** A wrapper's end of a socket. It never answers a close, like a peer with a half-dead network. */
export class RealSocket {
  readonly run: string;
  readonly received: string[] = [];
  readonly #socket: WebSocket;
  #marker = 0;
  #isOver = false;
  #onReceived = () => {};

  constructor(run: string, socket: WebSocket) {
    this.run = run;
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#take(String(data)));
    socket.addEventListener('close', ({ code }) => {
      this.received.push(`close ${code}`);
      this.#isOver = true;
      this.#onReceived();
    });
    socket.accept({ allowHalfOpen: true });
  }

  /** Everything has arrived that the object sent before this marker, or before it closed. */
  async receivedUpTo(marker: number): Promise<void> {
    while (!this.#isOver && this.#marker < marker) await new Promise<void>((resolve) => (this.#onReceived = resolve));
  }

  /** The object or this end has closed. */
  ended(): Promise<void> {
    return this.receivedUpTo(Number.POSITIVE_INFINITY);
  }

  close(): void {
    this.#isOver = true;
    this.#socket.close(1000);
  }

  #take(frame: string): void {
    if (frame.startsWith(MARKER)) this.#marker = Number(frame.slice(MARKER.length));
    else this.received.push(summarize(frame));
    this.#onReceived();
  }
}

/** A message in the model's words. */
function summarize(frame: string): string {
  const read = readObjectMessage(frame);
  return read.kind === 'message' ? describe(read.message as ObjectMessage) : `against the protocol: ${frame}`;
}

function describe(message: ObjectMessage): string {
  switch (message.type) {
    case 'ack':
      return message.of === 'complete' ? 'ack complete' : `ack ${message.of} ${message.offset}`;
    case 'kill':
      return `kill ${message.kill} ${message.signal}`;
    case 'error':
      return ['error', message.code, message.expected].filter((part) => part !== undefined).join(' ');
    case 'answer': {
      const blockedBy = message.blocked_by.map(({ run }) => run);
      return ['answer', message.decision, message.reason, message.fence, ...blockedBy]
        .filter((part) => part !== null)
        .join(' ');
    }
    case 'probe':
    case 'flow':
    case 'flush':
      return message.type;
  }
}

/**
 * D1 as the object finds it through the gateway: it may be unavailable, and it writes late. Changes are kept in order, and
 * written to the real D1 before the next query, so that thousands of sequences query it a hundred times less.
 */
export const d1 = {
  /** The job of the current trial: alarms of earlier ones may still fire. */
  job: '',
  away: false,
  /** Whether this instance of the object has sent changes. */
  wasCalled: false,
  /** Whether the last changes were refused. */
  refused: false,
  /** Pending queries. */
  asked: 0,
  changes: [] as JobChanges[],
  /** The ids of the occurrences that alerts were told of expectations. */
  told: new Set<string>(),
  queue: [] as D1PreparedStatement[],
  /** Whether the queue may hold kills. */
  holdsKills: false,
};

/** Every socket is opened with the first admin token, which is always valid. */
const CREDENTIAL = credentialParameter({
  token: ADMIN_TOKEN_ID,
  secret: sha256(env.LEASH_ADMIN_TOKEN),
  session: null,
});

const OPERATOR = { id: 'operator', name: 'model' };

/** Looks for runs that are late. */
let looks: { readonly value: unknown }[] = [];

/** Replaces the gateway for the objects. */
export function interceptD1(): void {
  looks = vi.spyOn(Expectations.prototype, 'check').mock.results;
  const gateways = env.D1_GATEWAY;
  const getByName = gateways.getByName.bind(gateways);
  const standIn = {
    async commit(changes: JobChanges): Promise<Committed> {
      if (changes.job !== d1.job) return { namesakes: [] };
      d1.wasCalled = true;
      d1.refused = d1.away;
      refuseIfAway();
      d1.changes.push(changes);
      for (const { id, run } of changes.occurrences ?? []) if (run === null) d1.told.add(id);
      return { namesakes: [] };
    },
    async signIn(): Promise<object> {
      refuseIfAway();
      return { token: null, brakes: [] };
    },
    async registerSockets(): Promise<ValidCredentials> {
      return { secrets: new Map(), sessions: new Map() };
    },
    async unacceptedKills(position: QueuePosition): Promise<Kill[]> {
      if (position.job !== d1.job) return [];
      d1.asked += 1;
      try {
        refuseIfAway();
        if (!d1.holdsKills) return [];
        await flushToD1(getByName('changes'));
        return await getByName('queue').unacceptedKills(position);
      } finally {
        d1.asked -= 1;
      }
    },
  };
  vi.spyOn(gateways, 'getByName').mockImplementation(() => standIn as unknown as ReturnType<typeof getByName>);
  flushToD1Now = () => flushToD1(getByName('changes'));
}

let flushToD1Now = async () => {};

async function flushToD1(gateway: DurableObjectStub<D1GatewayRpc>): Promise<void> {
  const { queue, changes } = d1;
  d1.queue = [];
  d1.changes = [];
  if (queue.length > 0) await env.DB.batch(queue);
  // In one call, so that they are committed together.
  await Promise.all(changes.map((change) => gateway.commit(change)));
}

function refuseIfAway(): void {
  if (d1.away) throw new Error('D1 is away: the test says so');
}

export interface Snapshot {
  readonly runs: (Run | null)[];
  readonly kills: (Kill | null)[];
  readonly events: string[][];
  readonly expectations: Expectation[];
  /** Sent on every socket right after. */
  readonly marker: number;
}

export class RealJob {
  readonly name: string;
  /** How often the object was called. */
  calls = 0;
  #markers = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Calls the object from inside its isolate. */
  withObject<Result>(call: (object: JobObject, state: DurableObjectState) => Result): Promise<Awaited<Result>> {
    this.calls += 1;
    return runInDurableObject(jobObject(this.name), call) as Promise<Awaited<Result>>;
  }

  async connect(
    { id: run, instance, machine }: { readonly id: string; readonly instance: string; readonly machine: string },
    orders: readonly StandingOrder[],
  ): Promise<RealSocket> {
    const query = new URLSearchParams({ run, instance, machine, ...CREDENTIAL, ...ordersParameter(orders) });
    const upgrade = { headers: { Upgrade: 'websocket' } };
    const { webSocket } = await jobObject(this.name).fetch(`https://object/connect?${query}`, upgrade);
    if (webSocket === null) throw new Error('the object did not take the upgrade');
    return new RealSocket(run, webSocket);
  }

  enforce(brake: EnforcedBrake): Promise<void> {
    return this.withObject((object) => object.enforceBrakes([brake]));
  }

  /** Passes the object a frame of the run's socket of that generation. @returns whether it has that socket */
  deliver(run: string, generation: number | null, frame: string | ArrayBuffer): Promise<boolean> {
    return this.withObject((object, state) => {
      const socket = find(state, run, generation);
      if (socket !== undefined) object.webSocketMessage(socket, frame);
      return socket !== undefined;
    });
  }

  /** The object has handled the end of a socket. */
  async socketClosed(run: string, generation: number | null): Promise<void> {
    await waitFor(`socket ${generation} of run ${run} to go away`, () =>
      this.withObject((_object, state) => find(state, run, generation) === undefined),
    );
  }

  /** Sends a marker on every open socket. */
  sendMarker(): Promise<number> {
    return this.withObject((_object, state) => this.#mark(state));
  }

  #mark(state: DurableObjectState): number {
    this.#markers += 1;
    for (const socket of state.getWebSockets()) {
      if (socket.readyState === WebSocket.OPEN) socket.send(`${MARKER}${this.#markers}`);
    }
    return this.#markers;
  }

  fireAlarm(): Promise<boolean> {
    this.calls += 1;
    return runDurableObjectAlarm(jobObject(this.name));
  }

  /** The object closes all of its sockets. */
  async closeSockets(): Promise<void> {
    await this.withObject((_object, state) => {
      for (const socket of state.getWebSockets()) if (socket.readyState === WebSocket.OPEN) socket.close(1012);
    });
  }

  /** No close is unanswered: an eviction would wait for it. */
  async allSocketsClosed(): Promise<void> {
    await waitFor('every socket to close', () =>
      this.withObject((_object, state) =>
        state.getWebSockets().every(({ readyState }) => readyState === WebSocket.OPEN),
      ),
    );
  }

  /** Memory is lost. After a crash the sockets are as well, and the runtime logs an error. */
  async replaceObject(how: 'evicted' | 'crashed'): Promise<void> {
    if (how === 'crashed') await restart(this.name);
    else await evictDurableObject(jobObject(this.name), { webSockets: 'hibernate' });
    // Its pending queries are lost with it.
    d1.asked = 0;
    d1.wasCalled = false;
    d1.refused = false;
  }

  /** Offers a kill to the object, as the API does. @param key the idempotency key */
  async offer(kill: Kill, key: string): Promise<OfferResult['kind']> {
    const { id, requested_at, job: subject } = kill;
    const at = Date.parse(requested_at);
    const audit = { id, at, action: 'kill', subject, detail: {}, address: null, requestId: 'model' } as const;
    const caller = { kind: 'known', caller: { ...OPERATOR, jobs: '*' } } as const;
    const offer = { kills: [{ kill, audit }], batch: null, key: { key, fingerprint: 'f' }, caller };
    return (await this.withObject((object) => object.offerKills(offer))).kind;
  }

  /** Puts a kill into the queue, as the API does. @param key the idempotency key, if D1 didn't know it */
  enqueue(kill: Kill, key: string | null = null): void {
    const insert =
      'INSERT INTO kills (id, job, requested_at, resource, key) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING';
    const ofCall = key === null ? null : JSON.stringify({ actor: OPERATOR.id, key, fingerprint: 'f' });
    const values = [kill.id, this.name, Date.parse(kill.requested_at), JSON.stringify(kill), ofCall];
    d1.holdsKills = true;
    d1.queue.push(env.DB.prepare(insert).bind(...values));
  }

  /** No query is pending. */
  async d1Answered(): Promise<void> {
    while (d1.asked > 0) await scheduler.wait(0);
  }

  /** No look for late runs is pending. */
  async looked(): Promise<void> {
    // In the object: its promises can't be awaited elsewhere.
    await this.withObject(async () => void (await Promise.all(looks.map(({ value }) => value))));
    looks.length = 0;
  }

  /** The outbox is empty, or cannot be emptied for now: the alarm sends it again. */
  async outboxSettled(): Promise<void> {
    await waitFor('the outbox to be empty', async () => {
      this.calls += 1;
      return (await isOutboxEmpty(this.name)) || d1.refused || !d1.wasCalled;
    });
  }

  look(runs: readonly string[], kills: readonly string[]): Promise<Snapshot> {
    return this.withObject((object, state) => ({
      runs: runs.map((run) => object.run(run)),
      kills: kills.map((kill) => object.kill(kill)),
      expectations: object.expectations(),
      events: runs.map((run) => object.events(run, 0, 10_000).map(({ type }) => type)),
      marker: this.#mark(state),
    }));
  }

  /** What the object has of the runs' output, as text; `_` is a byte that was lost. */
  output(runs: readonly string[]): Promise<{ text: string; lost: { start: number; end: number }[] }[]> {
    return this.withObject((object) => {
      const texts = runs.map(async (run) => {
        const { parts } = await object.outputPage(run, 0, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
        const texts = parts.map((part) =>
          part.kind === 'bytes' ? new TextDecoder().decode(part.bytes) : '_'.repeat(part.end - part.start),
        );
        return { text: texts.join(''), lost: [...(await object.outputExtent(run)).gaps] };
      });
      return Promise.all(texts);
    });
  }

  /** The kill that the object has made at a run for another one, or by a brake. */
  async killFor(by: string, run: string): Promise<string | null> {
    const query = 'SELECT id FROM kills WHERE batch = ? AND run = ?';
    return this.withObject(
      (_object, { storage }) => storage.sql.exec<{ id: string }>(query, by, run).toArray()[0]?.id ?? null,
    );
  }

  /** What D1 has of this job. */
  async index(): Promise<{ runs: Run[]; kills: Kill[]; expectations: Expectation[] }> {
    await flushToD1Now();
    const { results } = await env.DB.prepare(
      `SELECT 'run' AS kind, id, resource FROM runs WHERE job = ?1
       UNION ALL SELECT 'kill', id, resource FROM kills WHERE job = ?1
       UNION ALL SELECT 'expectation', machine, resource FROM expectations WHERE job = ?1 ORDER BY id`,
    )
      .bind(this.name)
      .all<{ kind: 'run' | 'kill' | 'expectation'; resource: string }>();
    const of = <Resource>(kind: string) =>
      results.filter((row) => row.kind === kind).map(({ resource }) => JSON.parse(resource) as Resource);
    return { runs: of<Run>('run'), kills: of<Kill>('kill'), expectations: of<Expectation>('expectation') };
  }
}

function find(state: DurableObjectState, run: string, generation: number | null): WebSocket | undefined {
  return state.getWebSockets(`run:${run}`).find((socket) => {
    const attachment = attachmentOf(socket);
    return attachment.kind === 'wrapper' && attachment.generation === generation;
  });
}

/**
 * A real job's object with real sockets and a real D1, in the hands of the model-based test.
 *
 * Frames are handed to the object where the runtime would hand them over, so that a step is over when the call returns;
 * everything that the object says goes over the sockets.
 */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { vi } from 'vitest';
import type { Command, Run } from '#protocol/api';
import { type ObjectMessage, readObjectMessage } from '#protocol/wrapper-link';
import { ADMIN_TOKEN_ID, credentialParameter } from '../../../credential.ts';
import type { JobChanges } from '../../../durable/changes.ts';
import type { Committed, D1GatewayObject, QueuePosition } from '../../../durable/d1-gateway-object.ts';
import { attachmentOf } from '../../../durable/job/sockets.ts';
import type { JobObject } from '../../../durable/job-object.ts';
import { sha256 } from '../../../hash.ts';
import type { Standing } from '../../../src/db/open-sockets.ts';
import { env } from '../env.ts';
import { jobObject, restart } from '../objects.ts';

/** A wrapper's end of a socket. It never answers a close, as a peer whose network is half dead. */
export class RealSocket {
  readonly run: string;
  readonly said: string[] = [];
  readonly #socket: WebSocket;
  #heard = () => {};

  constructor(run: string, socket: WebSocket) {
    this.run = run;
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#take(tell(String(data))));
    socket.addEventListener('close', ({ code }) => this.#take(`close ${code}`));
    socket.accept({ allowHalfOpen: true });
  }

  /** Waits until so many messages have come. */
  async received(count: number): Promise<void> {
    for (let tries = 0; this.said.length < count && tries < 500; tries++) {
      await Promise.race([new Promise<void>((resolve) => (this.#heard = resolve)), scheduler.wait(2)]);
    }
  }

  close(): void {
    this.#socket.close(1000);
  }

  #take(what: string): void {
    this.said.push(what);
    this.#heard();
  }
}

/** A message in the model's words. What does not conform to the protocol is in nobody's. */
function tell(frame: string): string {
  const read = readObjectMessage(frame);
  return read.kind === 'message' ? describe(read.message as ObjectMessage) : `against the protocol: ${frame}`;
}

function describe(message: ObjectMessage): string {
  switch (message.type) {
    case 'ack':
      return message.of === 'complete' ? 'ack complete' : `ack ${message.of} ${message.offset}`;
    case 'kill':
      return `kill ${message.command} ${message.signal}`;
    case 'error':
      return ['error', message.code, message.expected].filter((part) => part !== undefined).join(' ');
    case 'probe':
    case 'flow':
      return message.type;
  }
}

/**
 * D1 as the object finds it through the gateway: it can be away, and it writes down late. What it is told is kept, in
 * order, and goes to the real one before the next question to it: so thousands of sequences ask it a hundred times less.
 */
export const d1 = {
  /** The job that is tried now: alarms of earlier ones may still ring. */
  job: '',
  away: false,
  /** What the last changes that it was told met with. */
  refused: false,
  /** Questions that are not answered yet. */
  asked: 0,
  changes: [] as JobChanges[],
  queue: [] as D1PreparedStatement[],
  /** Whether anything is in the queue that could be asked for. */
  holdsCommands: false,
};

/** Every socket is opened with the first admin token, which stands as long as its secret does. */
const CREDENTIAL = credentialParameter({
  token: ADMIN_TOKEN_ID,
  secret: sha256(env.LEASH_ADMIN_TOKEN),
  session: null,
});

/** Stands between the objects and the gateway. */
export function standBeforeD1(): void {
  const gateways = env.D1_GATEWAY;
  const getByName = gateways.getByName.bind(gateways);
  const standIn = {
    async commit(changes: JobChanges): Promise<Committed> {
      if (changes.job !== d1.job) return { published: true };
      d1.refused = d1.away;
      refuseIfAway();
      d1.changes.push(changes);
      return { published: true };
    },
    async registerSockets(): Promise<Standing> {
      return { secrets: new Map(), sessions: new Map() };
    },
    async queuedCommands(position: QueuePosition): Promise<Command[]> {
      if (position.job !== d1.job) return [];
      d1.asked += 1;
      try {
        refuseIfAway();
        if (!d1.holdsCommands) return [];
        await writeDown(getByName('changes'));
        return await getByName('queue').queuedCommands(position);
      } finally {
        d1.asked -= 1;
      }
    },
  };
  vi.spyOn(gateways, 'getByName').mockImplementation(() => standIn as unknown as ReturnType<typeof getByName>);
  writeDownNow = () => writeDown(getByName('changes'));
}

let writeDownNow = async () => {};

async function writeDown(gateway: DurableObjectStub<D1GatewayObject>): Promise<void> {
  const { queue, changes } = d1;
  d1.queue = [];
  d1.changes = [];
  if (queue.length > 0) await env.DB.batch(queue);
  // In one call: what is committed together is.
  await Promise.all(changes.map((change) => gateway.commit(change)));
}

function refuseIfAway(): void {
  if (d1.away) throw new Error('D1 is away: the test says so');
}

export interface Snapshot {
  readonly runs: (Run | null)[];
  readonly commands: (Command | null)[];
  readonly events: string[][];
}

export class RealJob {
  readonly name: string;
  /** How often the object was called. */
  calls = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Calls the object from within. */
  inside<Result>(call: (object: JobObject, state: DurableObjectState) => Result): Promise<Awaited<Result>> {
    this.calls += 1;
    return runInDurableObject(jobObject(this.name), call) as Promise<Awaited<Result>>;
  }

  async dial(run: string, instance: string, machine: string): Promise<RealSocket> {
    const query = new URLSearchParams({ run, instance, machine, ...CREDENTIAL });
    const upgrade = { headers: { Upgrade: 'websocket' } };
    const { webSocket } = await jobObject(this.name).fetch(`https://object/connect?${query}`, upgrade);
    if (webSocket === null) throw new Error('the object did not take the upgrade');
    return new RealSocket(run, webSocket);
  }

  /** Hands the object a frame of the run's socket of that generation. @returns whether it has that socket */
  deliver(run: string, generation: number | null, frame: string | ArrayBuffer): Promise<boolean> {
    return this.inside((object, state) => {
      const socket = find(state, run, generation);
      if (socket !== undefined) object.webSocketMessage(socket, frame);
      return socket !== undefined;
    });
  }

  /** The object has dealt with the end of a socket. */
  async gone(run: string, generation: number): Promise<void> {
    for (let tries = 0; tries < 500; tries++) {
      if (!(await this.inside((_object, state) => find(state, run, generation) !== undefined))) return;
      await scheduler.wait(1);
    }
    throw new Error(`socket ${generation} of run ${run} does not go away`);
  }

  ring(): Promise<boolean> {
    this.calls += 1;
    return runDurableObjectAlarm(jobObject(this.name));
  }

  /** The object closes all of its sockets. */
  async hangUp(): Promise<void> {
    await this.inside((_object, state) => {
      for (const socket of state.getWebSockets()) if (socket.readyState === WebSocket.OPEN) socket.close(1012);
    });
  }

  /** No close is left unanswered: an eviction would wait for it. */
  async closed(): Promise<void> {
    for (let tries = 0; tries < 500; tries++) {
      const areOpen = await this.inside((_object, state) =>
        state.getWebSockets().every(({ readyState }) => readyState === WebSocket.OPEN),
      );
      if (areOpen) return;
      await scheduler.wait(1);
    }
    throw new Error('a socket does not close');
  }

  /** Memory is gone. After a crash the sockets are as well, and the runtime complains aloud. */
  async reincarnate(how: 'evicted' | 'crashed'): Promise<void> {
    if (how === 'crashed') await restart(this.name);
    else await evictDurableObject(jobObject(this.name), { webSockets: 'hibernate' });
    // What it was asking D1 died with it.
    d1.asked = 0;
    d1.refused = false;
  }

  /** Puts a command into the queue, as the API does. */
  enqueue(command: Command): void {
    const insert = 'INSERT INTO commands (id, job, requested_at, resource) VALUES (?, ?, ?, ?)';
    const values = [command.id, this.name, Date.parse(command.requested_at), JSON.stringify(command)];
    d1.holdsCommands = true;
    d1.queue.push(env.DB.prepare(insert).bind(...values));
  }

  /** No question to D1 is left open. */
  async answered(): Promise<void> {
    for (let tries = 0; d1.asked > 0; tries++) {
      if (tries === 1_000) throw new Error('D1 does not answer');
      await scheduler.wait(0);
    }
  }

  /** What the object has to tell D1 was told, or can't be for now. */
  async outboxSettled(): Promise<void> {
    for (let tries = 0; tries < 20; tries++) {
      const isEmpty = await this.inside((_object, { storage }) => {
        // One that keeps nothing has no tables.
        const hasTables = storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'outbox'").toArray().length > 0;
        return !hasTables || storage.sql.exec('SELECT 1 FROM outbox LIMIT 1').toArray().length === 0;
      });
      if (isEmpty || d1.refused) return;
      await scheduler.wait(0);
    }
  }

  look(runs: readonly string[], commands: readonly string[]): Promise<Snapshot> {
    return this.inside((object) => ({
      runs: runs.map((run) => object.run(run)),
      commands: commands.map((command) => object.command(command)),
      events: runs.map((run) => object.events(run, 0, 10_000).map(({ type }) => type)),
    }));
  }

  /** What the object has of the runs' output, as text; `_` is a byte that was lost. */
  output(runs: readonly string[]): Promise<{ text: string; lost: { start: number; end: number }[] }[]> {
    return this.inside((object) =>
      runs.map((run) => {
        const { pieces } = object.outputPage(run, 0, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
        const texts = pieces.map((piece) =>
          piece.kind === 'bytes' ? new TextDecoder().decode(piece.bytes) : '_'.repeat(piece.end - piece.start),
        );
        return { text: texts.join(''), lost: [...object.outputExtent(run).lost] };
      }),
    );
  }

  /** What D1 has of this job. */
  async index(): Promise<{ runs: Run[]; commands: Command[] }> {
    await writeDownNow();
    const { results } = await env.DB.prepare(
      `SELECT 'run' AS kind, id, resource FROM runs WHERE job = ?1
       UNION ALL SELECT 'command', id, resource FROM commands WHERE job = ?1 ORDER BY id`,
    )
      .bind(this.name)
      .all<{ kind: 'run' | 'command'; resource: string }>();
    const of = <Resource>(kind: string) =>
      results.filter((row) => row.kind === kind).map(({ resource }) => JSON.parse(resource) as Resource);
    return { runs: of<Run>('run'), commands: of<Command>('command') };
  }
}

function find(state: DurableObjectState, run: string, generation: number | null): WebSocket | undefined {
  return state.getWebSockets(`run:${run}`).find((socket) => {
    const attachment = attachmentOf(socket);
    return attachment.kind === 'wrapper' && attachment.generation === generation;
  });
}

/**
 * Starts the control plane in a process group of its own. The runtime outlives a Node process that is killed and goes on
 * holding the port, so whoever ends a control plane ends its group. Ctrl-C in a terminal doesn't reach that group either:
 * the starter shuts down in its own order.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { withTimeout } from '#shared/with-timeout';
import type { ControlPlaneOptions } from './control-plane.ts';
import type { ControlPlaneAnswer, ControlPlaneRequest } from './control-plane-messages.ts';
import { endGroup, signalGroup } from './process-group.ts';
import { nameSources } from './source-maps.ts';
import { StartError } from './start-error.ts';

const PROGRAM = fileURLToPath(new URL('./control-plane-process.ts', import.meta.url));
const STOP_DEADLINE_MS = 5_000;

type RequestBody = ControlPlaneRequest extends infer Request
  ? Request extends ControlPlaneRequest
    ? Omit<Request, 'id'>
    : never
  : never;

/** A running control plane. */
export interface ControlPlaneChild {
  readonly url: string;
  readonly port: number;
  /** The process group that it and the runtime are in. */
  readonly group: number;
  /** Resolves when its process has ended, for whatever reason. */
  readonly ended: Promise<void>;
  sweep(): Promise<void>;
  query(sql: string, ...bindings: (string | number | null)[]): Promise<Record<string, unknown>[]>;
  /** Ends it in good order. */
  stop(): Promise<void>;
  /** Ends it as a crash of the whole machine would: SIGKILL to everything at once. */
  crash(): Promise<void>;
}

/**
 * Starts a control plane; rejects with a {@link StartError} where its user can do something about it.
 *
 * @param log gets what the Worker and the runtime log, line by line, with the places in the Worker's sources in place of
 *   those in its bundle
 */
export async function spawnControlPlane(
  options: ControlPlaneOptions,
  log: (text: string) => void = (text) => process.stderr.write(text),
): Promise<ControlPlaneChild> {
  const child = spawn(process.execPath, ['--no-warnings', PROGRAM], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  for (const stream of [child.stdout, child.stderr]) passOn(stream, log);
  const requests = new Requests(child);
  const group = child.pid;
  if (group === undefined) throw new Error('the control plane could not be started');
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      // Killed by itself alone, it would leave the runtime behind.
      signalGroup(group, 'SIGKILL');
      resolve();
    });
  });
  try {
    const url = String(await requests.send({ type: 'start', options }));
    return {
      url,
      port: Number(new URL(url).port),
      group,
      ended,
      sweep: async () => {
        await requests.send({ type: 'sweep' });
      },
      query: async (sql, ...bindings) =>
        (await requests.send({ type: 'query', sql, bindings })) as Record<string, unknown>[],
      stop: async () => {
        // A process that is gone already, or hangs, is ended below all the same.
        await withTimeout(requests.send({ type: 'stop' }), STOP_DEADLINE_MS, { fallback: null }).catch(() => null);
        await endGroup(group);
      },
      crash: () => endGroup(group),
    };
  } catch (error) {
    await endGroup(group);
    throw error;
  }
}

function passOn(stream: Readable | null, log: (text: string) => void): void {
  if (stream === null) return;
  createInterface({ input: stream }).on('line', (line) => log(`${nameSources(line)}\n`));
}

/** Requests to the child that wait for their answers. */
class Requests {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #nextId = 1;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (answer: ControlPlaneAnswer) => this.#settle(answer));
    child.once('error', (error) => this.#rejectAll(error));
    child.once('exit', () => this.#rejectAll(new Error('the control plane ended')));
  }

  send(body: RequestBody): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (!this.#child.connected) {
        reject(new Error('the control plane has ended'));
        return;
      }
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ ...body, id }, (error) => {
        if (error !== null) reject(error);
      });
    });
  }

  #settle(answer: ControlPlaneAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.type === 'done') waiting?.resolve(answer.value);
    else waiting?.reject(answer.actionable ? new StartError(answer.message) : new Error(answer.message));
  }

  #rejectAll(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}

/** A wrapper's side of a connection, as the tests want it to behave. */
import { ulid } from 'ulid';
import { encodeOutputFrame, type StreamName } from '#protocol/output-frame';
import { type ObjectMessage, WRAPPER_SUBPROTOCOL, type WrapperMessage } from '#protocol/wrapper-link';
import { waitFor } from '#testing/wait-for';
import { request } from './api.ts';
import { env } from './env.ts';

type Of<Type extends ObjectMessage['type']> = Extract<ObjectMessage, { type: Type }>;
type StartMessage = Extract<WrapperMessage, { type: 'start' }>;

export interface Identity {
  readonly job: string;
  readonly run: string;
  readonly runKey: string;
  readonly machine: string;
  readonly instance: string;
}

export function newIdentity(job: string, machine = 'web1'): Identity {
  return { job, run: ulid(), runKey: crypto.randomUUID().replaceAll('-', ''), machine, instance: `${job}_1` };
}

export class TestWrapper {
  readonly received: (ObjectMessage | 'hb')[] = [];
  closed: { code: number } | null = null;
  readonly identity: Identity;
  readonly #socket: WebSocket;

  private constructor(identity: Identity, socket: WebSocket, halfOpen: boolean) {
    this.identity = identity;
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') this.received.push(data === 'hb' ? 'hb' : (JSON.parse(data) as ObjectMessage));
    });
    socket.addEventListener('close', ({ code }) => {
      this.closed = { code };
    });
    socket.accept({ allowHalfOpen: halfOpen });
  }

  /** Connects, and says `start` unless told not to. */
  static connect(
    identity: Identity,
    start: Partial<StartMessage> | null = {},
    token = env.LEASH_ADMIN_TOKEN,
  ): Promise<TestWrapper> {
    return TestWrapper.#connect(identity, start, false, token);
  }

  /** Connects as a peer whose network is half dead: it never answers a close. */
  static connectHalfOpen(
    identity: Identity,
    start: Partial<StartMessage> | null = {},
    token = env.LEASH_ADMIN_TOKEN,
  ): Promise<TestWrapper> {
    return TestWrapper.#connect(identity, start, true, token);
  }

  static async #connect(
    identity: Identity,
    start: Partial<StartMessage> | null,
    halfOpen: boolean,
    token: string,
  ): Promise<TestWrapper> {
    const { job, run, machine, instance } = identity;
    const response = await request(`/api/v1/jobs/${job}/connect?${new URLSearchParams({ run, machine, instance })}`, {
      headers: {
        Authorization: `Bearer ${token}`,
        Upgrade: 'websocket',
        'Sec-WebSocket-Protocol': WRAPPER_SUBPROTOCOL,
      },
    });
    if (response.webSocket === null) throw new Error(`not connected: ${response.status} ${await response.text()}`);
    const wrapper = new TestWrapper(identity, response.webSocket, halfOpen);
    if (start !== null) {
      wrapper.start(start);
      await wrapper.next('the ack of start', (message) => message.type === 'ack' && message.of === 'start');
    }
    return wrapper;
  }

  start(fields: Partial<StartMessage> = {}): void {
    this.say({
      type: 'start',
      run: this.identity.run,
      run_key: this.identity.runKey,
      phase: 'running',
      pid: 4242,
      command: 'sleep 60',
      age_ms: 100,
      version: '0.1.0',
      limits: { timeout_ms: null, grace_ms: 5000 },
      output: { from: 0, to: 0 },
      applied_kills: [],
      ...fields,
    });
  }

  say(message: WrapperMessage): void {
    this.raw(JSON.stringify(message));
  }

  raw(frame: string | Uint8Array): void {
    this.#socket.send(frame);
  }

  print(start: number, text: string, stream: StreamName = 'stdout'): void {
    this.raw(encodeOutputFrame({ stream, start, bytes: new TextEncoder().encode(text) }));
  }

  killing(command: string | null, phase: 'term' | 'kill' | 'gone' | 'refused', survivors: number[] = []): void {
    const signal = phase === 'term' ? 'SIGTERM' : phase === 'kill' ? 'SIGKILL' : null;
    this.say({ type: 'killing', command, reason: 'operator', phase, signal, at_ms: 200, survivors });
  }

  /** Ends as an operator's kill ends a run, or in the way that is given. */
  complete(fields: Partial<Extract<WrapperMessage, { type: 'complete' }>> = {}): void {
    this.say({
      type: 'complete',
      exit_code: 143,
      command_exit_code: null,
      signal: 'SIGTERM',
      reason: 'operator',
      duration_ms: 300,
      final_offset: 0,
      applied_kills: [],
      ...fields,
    });
  }

  async completed(fields: Partial<Extract<WrapperMessage, { type: 'complete' }>> = {}): Promise<void> {
    this.complete(fields);
    await this.next('the ack of complete', (message) => message.type === 'ack' && message.of === 'complete');
  }

  /** Everything that was sent so far has been dealt with: frames of one socket come in order. */
  async settled(): Promise<void> {
    const marker = `marker-${ulid()}`;
    this.raw(JSON.stringify({ type: marker }));
    await this.next(
      'the answer to a marker',
      (message) => message.type === 'error' && message.message.includes(marker),
    );
  }

  async kill(): Promise<Of<'kill'>> {
    const message = await this.next('a kill', ({ type }) => type === 'kill');
    return message as Of<'kill'>;
  }

  error(code: string): Promise<ObjectMessage> {
    return this.next(`the error ${code}`, (message) => message.type === 'error' && message.code === code);
  }

  acked(offset: number): Promise<ObjectMessage> {
    return this.next(
      `output acked up to ${offset}`,
      (message) => message.type === 'ack' && message.of === 'output' && message.offset >= offset,
    );
  }

  of<Type extends ObjectMessage['type']>(type: Type): Of<Type>[] {
    return this.messages().filter((message): message is Of<Type> => message.type === type);
  }

  next(what: string, isIt: (message: ObjectMessage) => boolean): Promise<ObjectMessage> {
    return waitFor(what, () => this.messages().find(isIt));
  }

  wasClosed(): Promise<{ code: number }> {
    return waitFor('the socket to close', () => this.closed);
  }

  close(): void {
    this.#socket.close(1000);
  }

  messages(): ObjectMessage[] {
    return this.received.filter((message): message is ObjectMessage => message !== 'hb');
  }
}

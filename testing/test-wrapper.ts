/** A wrapper that a test controls: it sends what the test wants, and keeps what it receives. */
import { ulid } from 'ulid';
import type { Answer } from '#protocol/admission';
import type { KillPhase } from '#protocol/kill';
import type { StreamName } from '#protocol/output-frame';
import type { ObjectMessage, WrapperMessage } from '#protocol/wrapper-link';
import { waitFor } from '#testing/wait-for';
import {
  type CompleteMessage,
  completeMessage,
  type Identity,
  killingMessage,
  outputFrame,
  type StartMessage,
  startMessage,
} from '#testing/wrapper-messages';

type Of<Type extends ObjectMessage['type']> = Extract<ObjectMessage, { type: Type }>;

/** The interface that a WebSocket of the runtime and one of `ws` share. */
export interface Socket {
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number }) => void): void;
  send(frame: string | Uint8Array): void;
  close(code: number): void;
}

/** Uses an open connection: how to open one differs between the runtimes. */
export class TestWrapper {
  readonly received: (ObjectMessage | 'hb')[] = [];
  closed: { code: number } | null = null;
  readonly identity: Identity;
  readonly #socket: Socket;

  constructor(identity: Identity, socket: Socket) {
    this.identity = identity;
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') this.received.push(data === 'hb' ? 'hb' : (JSON.parse(data) as ObjectMessage));
    });
    socket.addEventListener('close', ({ code }) => {
      this.closed = { code };
    });
  }

  start(fields: Partial<StartMessage> = {}): void {
    this.say(startMessage(this.identity, fields));
  }

  say(message: WrapperMessage): void {
    this.raw(JSON.stringify(message));
  }

  raw(frame: string | Uint8Array): void {
    this.#socket.send(frame);
  }

  print(start: number, text: string, stream: StreamName = 'stdout'): void {
    this.raw(outputFrame(start, text, stream));
  }

  killing(kill: string | null, phase: KillPhase, survivors: number[] = []): void {
    this.say(killingMessage(kill, phase, { reason: 'operator', survivors }));
  }

  /** Ends as after an operator's kill, or as given. */
  complete(fields: Partial<CompleteMessage> = {}): void {
    this.say(completeMessage(fields));
  }

  async completed(fields: Partial<CompleteMessage> = {}): Promise<void> {
    this.complete(fields);
    await this.next('the ack of complete', (message) => message.type === 'ack' && message.of === 'complete');
  }

  /** The object knows the run. */
  async started(): Promise<void> {
    await this.next('the ack of start', (message) => message.type === 'ack' && message.of === 'start');
  }

  /** Resolves when everything sent so far has been handled: frames of one socket arrive in order. */
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

  /** What it was told after it had asked: the newest answer is the one that counts. */
  async answer(decision: Answer['decision']): Promise<Answer> {
    const message = await this.next(
      `the answer ${decision}`,
      (one) => one.type === 'answer' && one.decision === decision,
    );
    return message as Answer;
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

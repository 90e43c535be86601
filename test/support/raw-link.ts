/** A wrapper's connection that a test controls, to send what no wrapper would. */
import { WebSocket } from 'ws';
import { type ObjectMessage, WRAPPER_SUBPROTOCOL, type WrapperMessage } from '#protocol/wrapper-link';
import { WAIT_LIMIT_MS } from '#testing/patience';
import { TestWrapper } from '#testing/test-wrapper';
import { waitFor } from '#testing/wait-for';
import { newRunKey, type StartMessage } from '#testing/wrapper-messages';

const INSTANCE = 'test';
const MACHINE = 'raw.example.com';

export interface RawLinkTarget {
  readonly url: string;
  readonly token: string | null;
  readonly job: string;
  readonly run: string;
  readonly instance?: string;
  readonly machine?: string;
}

export class RawLink {
  readonly #socket: WebSocket;
  readonly #wrapper: TestWrapper;

  private constructor(socket: WebSocket, wrapper: TestWrapper) {
    this.#socket = socket;
    this.#wrapper = wrapper;
  }

  /** Rejects with the HTTP status when the upgrade is refused. */
  static open(target: RawLinkTarget): Promise<RawLink> {
    const socket = openSocket(target);
    const { job, run, instance = INSTANCE, machine = MACHINE } = target;
    const link = new RawLink(socket, new TestWrapper({ job, run, runKey: newRunKey(), instance, machine }, socket));
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(link));
      socket.on('error', reject);
    });
  }

  send(frame: string | Uint8Array): void {
    this.#wrapper.raw(frame);
  }

  /** A correct `start`, also for another run than the one that connected. */
  start(run: string, fields: Partial<StartMessage> = {}): void {
    this.#wrapper.start({ run, ...fields });
  }

  say(message: WrapperMessage): void {
    this.#wrapper.say(message);
  }

  output(start: number, text: string): void {
    this.#wrapper.print(start, text);
  }

  message<Type extends ObjectMessage['type']>(
    type: Type,
    holds: (message: Extract<ObjectMessage, { type: Type }>) => boolean = () => true,
  ): Promise<Extract<ObjectMessage, { type: Type }>> {
    return waitFor(`a message ${type} from the object`, () => this.#wrapper.of(type).find(holds));
  }

  async closed(): Promise<number> {
    return (await this.#wrapper.wasClosed()).code;
  }

  close(): void {
    this.#socket.terminate();
  }
}

/** The status and the body of a refused upgrade. */
export function refusedUpgrade(target: RawLinkTarget): Promise<{ status: number; body: string }> {
  const socket = openSocket(target);
  return new Promise((resolve, reject) => {
    socket.once('open', () => {
      socket.terminate();
      reject(new Error('the upgrade was not refused'));
    });
    socket.on('error', reject);
    socket.once('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
  });
}

function openSocket({ url, token, job, run, instance = INSTANCE, machine = MACHINE }: RawLinkTarget): WebSocket {
  const query = new URLSearchParams({ run, instance, machine });
  return new WebSocket(
    `${url.replace(/^http/, 'ws')}/api/v1/jobs/${encodeURIComponent(job)}/connect?${query}`,
    WRAPPER_SUBPROTOCOL,
    {
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      handshakeTimeout: WAIT_LIMIT_MS,
    },
  );
}

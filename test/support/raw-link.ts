/** A wrapper's connection in the hands of a test, to say on it what no wrapper would. */
import { randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';
import { encodeOutputFrame } from '#protocol/output-frame';
import { readObjectMessage, WRAPPER_SUBPROTOCOL } from '#protocol/wrapper-link';
import { waitFor } from '#testing/wait-for';

/** What came: an error's code may be one that this version doesn't know. */
type ObjectMessage = Extract<ReturnType<typeof readObjectMessage>, { kind: 'message' }>['message'];

export interface RawLinkTarget {
  readonly url: string;
  readonly token: string | null;
  readonly job: string;
  readonly run: string;
  readonly instance?: string;
  readonly machine?: string;
}

export class RawLink {
  readonly messages: ObjectMessage[] = [];
  closeCode: number | null = null;
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data, isBinary) => {
      if (isBinary) return;
      const read = readObjectMessage((data as Buffer).toString());
      if (read.kind === 'message') this.messages.push(read.message);
    });
    socket.on('close', (code) => {
      this.closeCode = code;
    });
  }

  /** Rejects with the HTTP status when the upgrade is refused. */
  static open(target: RawLinkTarget): Promise<RawLink> {
    const socket = openSocket(target);
    const link = new RawLink(socket);
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(link));
      socket.on('error', reject);
    });
  }

  send(frame: string | Uint8Array): void {
    this.#socket.send(frame);
  }

  /** A correct `start`, but for what is given. */
  start(run: string, fields: Record<string, unknown> = {}): void {
    this.send(
      JSON.stringify({
        type: 'start',
        run,
        run_key: randomBytes(16).toString('hex'),
        phase: 'running',
        pid: 4242,
        command: 'sleep 600',
        age_ms: 10,
        version: '0.0.0-test',
        limits: { timeout_ms: null, grace_ms: 5000 },
        output: { from: 0, to: 0 },
        applied_kills: [],
        ...fields,
      }),
    );
  }

  output(start: number, text: string): void {
    this.send(encodeOutputFrame({ stream: 'stdout', start, bytes: new TextEncoder().encode(text) }));
  }

  message<Type extends ObjectMessage['type']>(
    type: Type,
    holds: (message: Extract<ObjectMessage, { type: Type }>) => boolean = () => true,
  ): Promise<Extract<ObjectMessage, { type: Type }>> {
    const isWanted = (message: ObjectMessage): message is Extract<ObjectMessage, { type: Type }> =>
      message.type === type && holds(message as Extract<ObjectMessage, { type: Type }>);
    return waitFor(`a message ${type} from the object`, () => this.messages.find(isWanted));
  }

  closed(): Promise<number> {
    return waitFor('the object to close the connection', () => this.closeCode);
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

function openSocket({
  url,
  token,
  job,
  run,
  instance = 'test',
  machine = 'raw.example.com',
}: RawLinkTarget): WebSocket {
  const query = new URLSearchParams({ run, instance, machine });
  return new WebSocket(
    `${url.replace(/^http/, 'ws')}/api/v1/jobs/${encodeURIComponent(job)}/connect?${query}`,
    WRAPPER_SUBPROTOCOL,
    {
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      handshakeTimeout: 10_000,
    },
  );
}

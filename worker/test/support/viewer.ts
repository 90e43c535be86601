/** A dashboard's side of a watch socket. */
import { runInDurableObject } from 'cloudflare:test';
import { HEARTBEAT } from '#protocol/limits';
import { decodeOutputFrame } from '#protocol/output-frame';
import { type ViewerMessage, WATCH_SUBPROTOCOL, type WatchMessage } from '#protocol/watch-link';
import { waitFor } from '#testing/wait-for';
import { request } from './api.ts';
import { env } from './env.ts';

export class TestViewer {
  readonly messages: WatchMessage[] = [];
  output = '';
  /** The offset that follows the last byte received. */
  offset = 0;
  closed: { code: number } | null = null;
  /** Whether it responds with how far it has read. */
  answersPings = true;
  #beats = 0;
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket, halfOpen: boolean) {
    this.#socket = socket;
    socket.addEventListener('close', ({ code }) => {
      this.closed = { code };
    });
    socket.addEventListener('message', ({ data }) => {
      if (data === HEARTBEAT) this.#beats += 1;
      else if (typeof data === 'string') this.#receive(JSON.parse(data) as WatchMessage);
      else this.#take(data as ArrayBuffer);
    });
    socket.accept({ allowHalfOpen: halfOpen });
    socket.binaryType = 'arraybuffer';
  }

  static watch(path: string, token = env.LEASH_ADMIN_TOKEN): Promise<TestViewer> {
    return TestViewer.watchAs(path, { Authorization: `Bearer ${token}` });
  }

  /** Watches as a viewer whose network is half dead: it never answers a close. */
  static watchHalfOpen(path: string): Promise<TestViewer> {
    return TestViewer.#watch(path, { Authorization: `Bearer ${env.LEASH_ADMIN_TOKEN}` }, true);
  }

  /** @param who the headers that say who watches */
  static watchAs(path: string, who: Record<string, string>): Promise<TestViewer> {
    return TestViewer.#watch(path, who, false);
  }

  static async #watch(path: string, who: Record<string, string>, halfOpen: boolean): Promise<TestViewer> {
    const response = await request(`/api/v1${path}`, {
      headers: { ...who, Upgrade: 'websocket', 'Sec-WebSocket-Protocol': WATCH_SUBPROTOCOL },
    });
    if (response.webSocket === null) throw new Error(`not connected: ${response.status} ${await response.text()}`);
    return new TestViewer(response.webSocket, halfOpen);
  }

  say(message: ViewerMessage): void {
    this.raw(JSON.stringify(message));
  }

  raw(frame: string | Uint8Array): void {
    this.#socket.send(frame);
  }

  of<Type extends WatchMessage['type']>(type: Type): Extract<WatchMessage, { type: Type }>[] {
    return this.messages.filter((message): message is Extract<WatchMessage, { type: Type }> => message.type === type);
  }

  next<Type extends WatchMessage['type']>(
    type: Type,
    isIt: (message: Extract<WatchMessage, { type: Type }>) => boolean = () => true,
  ): Promise<Extract<WatchMessage, { type: Type }>> {
    return waitFor(`a message of type ${type}`, () => this.of(type).find(isIt));
  }

  /** Sends a heartbeat, and waits for the answer. */
  async beat(): Promise<void> {
    const before = this.#beats;
    this.#socket.send(HEARTBEAT);
    await waitFor('the answer', () => this.#beats > before);
  }

  wasClosed(): Promise<{ code: number }> {
    return waitFor('the socket to close', () => this.closed);
  }

  close(): void {
    this.#socket.close(1000);
  }

  #receive(message: WatchMessage): void {
    this.messages.push(message);
    if (message.type === 'ping' && this.answersPings) this.say({ type: 'pong', sent: message.sent });
  }

  #take(data: ArrayBuffer): void {
    const decoded = decodeOutputFrame(data);
    if (!decoded.ok) throw new Error(decoded.message);
    this.output += new TextDecoder().decode(decoded.frame.bytes);
    this.offset = decoded.frame.start + decoded.frame.bytes.length;
  }
}

/**
 * Lets all viewers of an object send a frame now, so that they aren't considered dead. The runtime stamps heartbeats with
 * the real time, which doesn't count where `Date` is faked.
 */
export async function sayAlive(object: DurableObjectStub, ...viewers: TestViewer[]): Promise<void> {
  for (const viewer of viewers) viewer.say({ type: 'pong', sent: 0 });
  await waitFor('the viewers to be heard', () =>
    runInDurableObject(object, (_instance, state) => {
      const heard = state.getWebSockets('viewer').filter((socket) => {
        const { heardAt } = socket.deserializeAttachment() as { heardAt: number };
        return Date.now() - heardAt < 1_000;
      });
      return heard.length >= viewers.length;
    }),
  );
}

/** A page's side of a watch socket. */
import { decodeOutputFrame } from '#protocol/output-frame';
import { type ViewerMessage, WATCH_SUBPROTOCOL, type WatchMessage } from '#protocol/watch-link';
import { request } from './api.ts';
import { env } from './env.ts';
import { until } from './until.ts';

export class TestViewer {
  readonly messages: WatchMessage[] = [];
  output = '';
  /** The offset that follows the last byte received. */
  offset = 0;
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') this.messages.push(JSON.parse(data) as WatchMessage);
      else this.#take(data as ArrayBuffer);
    });
    socket.accept();
    socket.binaryType = 'arraybuffer';
  }

  static async watch(path: string, token = env.LEASH_ADMIN_TOKEN): Promise<TestViewer> {
    const response = await request(`/api/v1${path}`, {
      headers: { Authorization: `Bearer ${token}`, Upgrade: 'websocket', 'Sec-WebSocket-Protocol': WATCH_SUBPROTOCOL },
    });
    if (response.webSocket === null) throw new Error(`not connected: ${response.status} ${await response.text()}`);
    return new TestViewer(response.webSocket);
  }

  say(message: ViewerMessage): void {
    this.#socket.send(JSON.stringify(message));
  }

  of<Type extends WatchMessage['type']>(type: Type): Extract<WatchMessage, { type: Type }>[] {
    return this.messages.filter((message): message is Extract<WatchMessage, { type: Type }> => message.type === type);
  }

  next<Type extends WatchMessage['type']>(
    type: Type,
    isIt: (message: Extract<WatchMessage, { type: Type }>) => boolean = () => true,
  ): Promise<Extract<WatchMessage, { type: Type }>> {
    return until(`a message of type ${type}`, () => this.of(type).find(isIt));
  }

  close(): void {
    this.#socket.close(1000);
  }

  #take(data: ArrayBuffer): void {
    const decoded = decodeOutputFrame(data);
    if (!decoded.ok) throw new Error(decoded.message);
    this.output += new TextDecoder().decode(decoded.frame.bytes);
    this.offset = decoded.frame.start + decoded.frame.bytes.length;
  }
}

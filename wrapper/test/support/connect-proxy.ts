/** A web proxy with CONNECT that misbehaves on request. */
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { onTestFinished } from 'vitest';
import { GOOD, KEY } from './certificates.ts';

export class ConnectProxy {
  /** What to do with a CONNECT: pass it on, answer with a status, or something that isn't a response. */
  answer: 'tunnel' | number | 'silence' | 'garbage' | 'hang_up' = 'tunnel';
  readonly requests: { readonly target: string; readonly authorization: string | undefined }[] = [];
  readonly #server: http.Server;
  readonly #secure: boolean;
  readonly #port: number;
  readonly #open = new Set<Duplex>();

  /** @param port where every target leads to, on this machine, whatever its name */
  constructor(port: number, secure: boolean) {
    this.#port = port;
    this.#secure = secure;
    this.#server = secure ? https.createServer({ key: KEY, cert: GOOD }) : http.createServer();
    this.#server.on('connection', (socket: net.Socket) => this.#keep(socket));
    this.#server.on('connect', (request, socket, head) => {
      this.requests.push({ target: request.url ?? '', authorization: request.headers['proxy-authorization'] });
      this.#respond(socket, head);
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  /** @param credentials `user:password@` */
  url(credentials = ''): string {
    const { port } = this.#server.address() as AddressInfo;
    return `${this.#secure ? 'https' : 'http'}://${credentials}127.0.0.1:${port}`;
  }

  /** Connections that are open, to the proxy and from it. */
  get open(): number {
    return this.#open.size;
  }

  close(): void {
    for (const socket of this.#open) socket.destroy();
    this.#server.close();
  }

  #respond(near: Duplex, head: Buffer): void {
    near.on('error', () => {});
    if (this.answer === 'silence') {
      // No other code ends it.
      near.on('end', () => near.destroy()).resume();
    } else if (this.answer === 'hang_up') {
      near.destroy();
    } else if (this.answer === 'garbage') {
      near.end('220 mail.example.com ESMTP\r\n\r\n');
    } else if (this.answer === 'tunnel') {
      const far = net.connect({ port: this.#port, host: '127.0.0.1' });
      this.#keep(far);
      near.write('HTTP/1.1 200 Connection established\r\n\r\n');
      far.write(head);
      far.pipe(near).pipe(far);
      near.on('close', () => far.destroy());
    } else {
      near.end(`HTTP/1.1 ${this.answer} Whatever\r\nContent-Length: 0\r\n\r\n`);
    }
  }

  #keep(socket: Duplex): void {
    this.#open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#open.delete(socket));
  }
}

/** A proxy that is gone when the test is over. */
export async function proxyTo(port: number, { secure = false } = {}): Promise<ConnectProxy> {
  const proxy = await new ConnectProxy(port, secure).listen();
  onTestFinished(() => proxy.close());
  return proxy;
}

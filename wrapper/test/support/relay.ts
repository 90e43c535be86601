/** Passes TCP connections on between the wrapper and the control plane, and can stop silently. */

import type { AddressInfo } from 'node:net';
import net from 'node:net';
import { onTestFinished } from 'vitest';

export class Relay {
  connections = 0;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  #frozen: readonly net.Socket[] = [];

  /** @param port where to pass connections on to, on this machine */
  constructor(port: number) {
    this.#server = net.createServer((near) => {
      this.connections += 1;
      const far = net.connect({ port, host: '127.0.0.1' });
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => this.#sockets.delete(socket));
      }
      this.#pass(near, far);
      this.#pass(far, near);
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on nothing passes on the connections there are, not even their end; new ones work. */
  freeze(): void {
    this.#frozen = [...this.#sockets];
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #pass(from: net.Socket, to: net.Socket): void {
    from.on('data', (bytes) => {
      if (!this.#frozen.includes(from)) to.write(bytes);
    });
    from.on('close', () => {
      if (!this.#frozen.includes(from)) to.destroy();
    });
  }
}

/** A relay that is gone when the test is over. */
export async function relayTo(port: number): Promise<Relay> {
  const relay = await new Relay(port).listen();
  onTestFinished(() => relay.close());
  return relay;
}

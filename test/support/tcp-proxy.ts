/** A network between two ends that can be cut, stall silently, and recover. */
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * - `open`: bytes pass
 * - `cut`: existing connections are reset, new ones refused at once
 * - `stalled`: half open, as behind a middlebox that forgot the connection: everything stays up and no byte passes,
 *   in neither direction, not even the news that an end has hung up
 * - `slow`: bytes are passed on late, and a few at a time
 */
export type LinkCondition = 'open' | 'cut' | 'stalled' | 'slow';

const SLOW_MS = 150;

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  /** Connected before the last stall: it never passes a byte again. */
  dead: boolean;
  readonly triedInStall: boolean;
}

function reset({ near, far }: Pair): void {
  near.resetAndDestroy();
  far.resetAndDestroy();
}

export class TcpProxy {
  readonly url: string;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #targetPort: number;
  #condition: LinkCondition = 'open';

  private constructor(server: Server, port: number, targetPort: number) {
    this.#server = server;
    this.#targetPort = targetPort;
    this.url = `http://127.0.0.1:${port}`;
    server.on('connection', (near) => this.#accept(near));
  }

  /** A way to `targetPort` on this machine. */
  static open(targetPort: number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        if (address === null || typeof address === 'string') throw new Error('a TCP server has an address');
        resolve(new TcpProxy(server, address.port, targetPort));
      });
    });
  }

  cut(): void {
    this.#condition = 'cut';
    this.#resetAll();
  }

  stall(): void {
    this.#condition = 'stalled';
    for (const pair of this.#pairs) {
      pair.dead = true;
      pair.near.pause();
      pair.far.pause();
    }
  }

  slow(): void {
    this.#condition = 'slow';
  }

  /**
   * New connections pass. Those that a stall caught stay dead: a middlebox doesn't remember. Those that were tried during
   * it are reset, as if their time was over.
   */
  restore(): void {
    this.#condition = 'open';
    for (const pair of this.#pairs) {
      if (!pair.triedInStall) continue;
      reset(pair);
      this.#pairs.delete(pair);
    }
  }

  close(): Promise<void> {
    this.#resetAll();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #accept(near: Socket): void {
    near.on('error', () => near.destroy());
    if (this.#condition === 'cut') {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ port: this.#targetPort, host: '127.0.0.1', allowHalfOpen: true });
    const stalled = this.#condition === 'stalled';
    const pair: Pair = { near, far, dead: stalled, triedInStall: stalled };
    this.#pairs.add(pair);
    this.#join(pair, near, far);
    this.#join(pair, far, near);
    if (pair.dead) near.pause();
  }

  #join(pair: Pair, from: Socket, to: Socket): void {
    from.on('data', (chunk) => {
      if (this.#condition === 'slow') this.#passLate(pair, from, to, chunk);
      else if (!pair.dead) to.write(chunk);
    });
    from.on('end', () => {
      if (!pair.dead) to.end();
    });
    from.on('error', () => {
      if (!pair.dead) to.resetAndDestroy();
    });
    from.on('close', () => {
      if (pair.dead) return;
      to.destroy();
      this.#pairs.delete(pair);
    });
  }

  /** Nothing more is read meanwhile, which preserves the order. */
  #passLate(pair: Pair, from: Socket, to: Socket, chunk: Buffer): void {
    from.pause();
    setTimeout(() => {
      if (pair.dead) return;
      to.write(chunk);
      from.resume();
    }, SLOW_MS);
  }

  #resetAll(): void {
    for (const pair of this.#pairs) reset(pair);
    this.#pairs.clear();
  }
}

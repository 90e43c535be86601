/** The link without the rest of the wrapper: one attempt to connect, or a whole Link of a run. */
import net, { type AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { type Connection, dial, type Ending, type RunAddress } from '../../src/link/dial.ts';
import { Link } from '../../src/link/link.ts';
import { OutputLog } from '../../src/output/log.ts';
import { RunRecord } from '../../src/run/record.ts';

export type To = Partial<RunAddress['controlPlane']> & { readonly baseUrl: string };

export class Dialled {
  ending: Ending | null = null;
  opened = false;
  readonly frames: string[] = [];
  readonly connection: Connection;

  constructor(to: To, timeoutMs?: number) {
    this.connection = dial(
      addressOf(to),
      {
        opened: () => {
          this.opened = true;
        },
        text: (frame) => this.frames.push(frame),
        otherFrame: () => {},
        ended: (ending) => {
          if (this.ending !== null) throw new Error('ended twice');
          this.ending = ending;
        },
      },
      timeoutMs,
    );
    onTestFinished(() => this.connection.terminate('the test is over'));
  }

  ended(): Promise<Ending> {
    return waitFor('the end of the attempt', () => this.ending);
  }

  isOpen(): Promise<true> {
    return waitFor('an open connection', () => {
      if (this.ending !== null) throw new Error(this.ending.why);
      return this.opened;
    });
  }
}

export interface Linked {
  readonly link: Link;
  readonly output: OutputLog;
  /** The lines that an operator was told. */
  readonly told: string[];
  readonly kills: string[];
}

let runs = 0;

/** A Link that is closed when the test is over. */
export function linkTo(to: To): Linked {
  runs += 1;
  const run = `01J${String(runs).padStart(23, '0')}`;
  const output = new OutputLog(100_000_000);
  const record = new RunRecord(
    {
      run,
      run_key: '0'.repeat(32),
      pid: 1,
      command: 'true',
      version: '0',
      limits: { timeout_ms: null, grace_ms: 0 },
    },
    output,
    () => 0,
    () => [],
  );
  const told: string[] = [];
  const kills: string[] = [];
  const link = new Link(
    { ...addressOf(to), run },
    record,
    { kill: ({ command }) => kills.push(command), changed: () => {} },
    { tell: (line) => told.push(line), note: () => {} },
  );
  onTestFinished(() => link.close());
  return { link, output, told, kills };
}

function addressOf(to: To): RunAddress {
  const controlPlane = { token: { kind: 'value', token: 'secret-token' } as const, caFile: null, proxy: {}, ...to };
  return { controlPlane, job: 'test', run: '01J00000000000000000000000', instance: 'test_1', machine: 'here' };
}

/** A bare TCP server that is gone when the test is over. */
export async function tcpServer(
  onConnection: (socket: net.Socket) => void,
): Promise<{ port: number; open: () => number }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    // Or its end would never be seen.
    socket.resume();
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, open: () => sockets.size };
}

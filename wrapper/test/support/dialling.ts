/** The link without the rest of the wrapper: one attempt to connect, or a whole Link of a run. */
import net, { type AddressInfo } from 'node:net';
import { onTestFinished, vi } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { OutputBuffer } from '../../src/buffer/output-buffer.ts';
import { type Connection, type ConnectionEnd, dial, type RunAddress } from '../../src/link/dial.ts';
import { Link } from '../../src/link/link.ts';
import { RunReport } from '../../src/link/run-report.ts';

export type To = Partial<RunAddress['controlPlane']> & { readonly baseUrl: string };

export class Dialled {
  ending: ConnectionEnd | null = null;
  opened = false;
  readonly frames: string[] = [];
  readonly connection: Connection;

  constructor(to: To, disconnectedMs: number | null = null) {
    const handlers = {
      opened: () => {
        this.opened = true;
      },
      text: (frame: string) => this.frames.push(frame),
      otherFrame: () => {},
      ended: (ending: ConnectionEnd) => {
        if (this.ending !== null) throw new Error('ended twice');
        this.ending = ending;
      },
    };
    this.connection = dial(addressOf(to), handlers, undefined, disconnectedMs);
    onTestFinished(() => this.connection.terminate('the test is over'));
  }

  ended(): Promise<ConnectionEnd> {
    return waitFor('the end of the attempt', () => this.ending);
  }

  isOpen(): Promise<true> {
    return waitFor('an open connection', () => {
      if (this.ending !== null) throw new Error(this.ending.why);
      return this.opened;
    });
  }
}

/** More than an attempt may take. */
const LONG_MS = 60_000;

/**
 * How an attempt ends that times out.
 *
 * @param isStuck whether it has come as far as it will: until then no time passes for it
 */
export async function timedOut(to: To, isStuck: () => boolean): Promise<ConnectionEnd> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const dialled = new Dialled(to);
  await waitFor('the point at which it hangs', isStuck);
  vi.advanceTimersByTime(LONG_MS);
  return dialled.ended();
}

export interface Linked {
  readonly link: Link;
  readonly output: OutputBuffer;
  /** The warnings that an operator would see. */
  readonly warnings: string[];
  readonly kills: string[];
}

let runs = 0;

/** A Link that is closed when the test is over. */
export function linkTo(to: To): Linked {
  runs += 1;
  const run = `01J${String(runs).padStart(23, '0')}`;
  const output = new OutputBuffer(100_000_000);
  const record = new RunReport(
    {
      run,
      run_key: '0'.repeat(32),
      pid: 1,
      command_line: 'true',
      version: '0',
      limits: { timeout_ms: null, grace_ms: 0 },
    },
    output,
    () => 0,
    () => [],
  );
  const warnings: string[] = [];
  const kills: string[] = [];
  const link = new Link(
    { ...addressOf(to), run },
    record,
    { kill: ({ kill }) => kills.push(kill), changed: () => {} },
    { warn: (line) => warnings.push(line), info: () => {} },
  );
  onTestFinished(() => link.close());
  return { link, output, warnings, kills };
}

function addressOf(to: To): RunAddress {
  const controlPlane = { token: { kind: 'value', token: 'secret-token' } as const, caFile: null, proxy: {}, ...to };
  return { controlPlane, job: 'test', run: '01J00000000000000000000000', instance: 'test_1', machine: 'here' };
}

export interface BareServer {
  readonly port: number;
  /** Connections that are open. */
  open(): number;
  receivedBytes(): number;
}

/** A bare TCP server that is gone when the test is over. */
export async function tcpServer(onConnection: (socket: net.Socket) => void): Promise<BareServer> {
  const sockets = new Set<net.Socket>();
  let receivedBytes = 0;
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('data', ({ length }) => {
      receivedBytes += length;
    });
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, open: () => sockets.size, receivedBytes: () => receivedBytes };
}

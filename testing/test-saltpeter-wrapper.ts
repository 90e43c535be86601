/** A wrapper of Saltpeter that a test controls: it sends what the test wants, and keeps what it receives. */
import type { SaltpeterNames, SaltpeterReply } from '#protocol/saltpeter-link';
import type { Socket } from '#testing/test-wrapper';
import { waitFor } from '#testing/wait-for';

type Received = SaltpeterReply & { readonly timestamp: string };

/** Uses an open connection. */
export class TestSaltpeterWrapper {
  readonly received: Received[] = [];
  closed: { code: number } | null = null;
  readonly names: SaltpeterNames;
  readonly #socket: Socket;

  constructor(names: SaltpeterNames, socket: Socket) {
    this.names = names;
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      this.received.push(JSON.parse(String(data)) as Received);
    });
    socket.addEventListener('close', ({ code }) => {
      this.closed = { code };
    });
  }

  raw(frame: string | Uint8Array): void {
    this.#socket.send(frame);
  }

  close(): void {
    this.#socket.close(1000);
  }

  /** What the unmodified wrapper sends, with its clock an hour late. */
  say(type: string, fields: Readonly<Record<string, unknown>> = {}): void {
    const timestamp = new Date(Date.now() - 3_600_000).toISOString().replace('Z', '+00:00');
    this.raw(JSON.stringify({ type, ...this.names, ...fields, timestamp }));
  }

  /** As on its first connection: each frame waits for the ack of the one before. */
  async start(fields: { readonly pid?: number } = {}): Promise<void> {
    this.say('connect');
    await this.ack('connect');
    this.say('start', { pid: 4242, version: '0.9.31', ...fields });
    await this.ack('start');
  }

  print(seq: number, data: string, stream: 'stdout' | 'stderr' = 'stdout'): void {
    this.say('output', { stream, data, seq });
  }

  async printed(seq: number, data: string): Promise<void> {
    this.print(seq, data);
    await this.acked(seq);
  }

  complete(retcode: number, seq: number): void {
    this.say('complete', { retcode, seq });
  }

  async completed(retcode: number, seq: number): Promise<void> {
    this.complete(retcode, seq);
    await this.ack('complete');
  }

  ack(of: 'connect' | 'start' | 'complete'): Promise<Received> {
    return this.#reply(`the ack of ${of}`, (reply) => reply.type === 'ack' && reply.ack_type === of);
  }

  acked(seq: number): Promise<Received> {
    return this.#reply(
      `the ack of output ${seq}`,
      (reply) => reply.type === 'ack' && reply.ack_type === 'output' && reply.seq === seq,
    );
  }

  reply(type: SaltpeterReply['type']): Promise<Received> {
    return this.#reply(`a ${type}`, (reply) => reply.type === type);
  }

  wasClosed(): Promise<{ code: number }> {
    return waitFor('the close', () => this.closed);
  }

  #reply(what: string, matches: (reply: Received) => boolean): Promise<Received> {
    return waitFor(what, () => this.received.find(matches));
  }
}

let lastInstance = 1_790_000_000;

/** Names as Saltpeter gives them: each firing has its second in its name. */
export function saltpeterNames(job_name: string, machine = 'db-1.example.com'): SaltpeterNames {
  lastInstance += 1;
  return { job_name, job_instance: `${job_name}_${lastInstance}`, machine };
}

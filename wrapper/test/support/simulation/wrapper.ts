/** A simulated wrapper's side of the link: a real Session over connections that come and go. */
import { HEARTBEAT, MAX_UNACKED_BYTES, RECONNECT_CAP_MS } from '#protocol/limits';
import { encodeOutputFrame, type OutputFrame } from '#protocol/output-frame';
import { type Killing, type KillMessage, readObjectMessage } from '#protocol/wrapper-link';
import { backoffMs } from '#shared/backoff';
import type { Random } from '#testing/random';
import { type LinkAction, LinkProtocol } from '../../../src/link/link-protocol.ts';
import type { ReportableRun } from '../../../src/link/reportable-run.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { Wire } from './wire.ts';

export class SimulatedWrapper {
  isAllStored = false;
  readonly faults: string[] = [];
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #run: ReportableRun;
  readonly #connect: () => Wire;
  readonly #onKill: (kill: KillMessage) => void;
  #session: LinkProtocol | null = null;
  #wire: Wire | null = null;
  #attempt = 0;
  #gone = false;
  #cancelTick: () => void = () => {};
  /** Output sent on this connection, as far as it may still be under way. */
  #inFlight: { readonly start: number; readonly end: number }[] = [];
  /** Where the next output or gap has to start; null before the start was acked. */
  #next: number | null = null;

  constructor(
    time: VirtualTime,
    random: Random,
    run: ReportableRun,
    connect: () => Wire,
    onKill: (kill: KillMessage) => void,
  ) {
    this.#time = time;
    this.#random = random;
    this.#run = run;
    this.#connect = connect;
    this.#onKill = onKill;
    this.#dial();
  }

  outputGrew(): void {
    this.#talk((session) => session.outputGrew(this.#time.now));
  }

  outputReadable(): void {
    this.#talk((session) => session.outputReadable(this.#time.now));
  }

  killing(killing: Killing): void {
    this.#talk((session) => session.killing(killing, this.#time.now));
  }

  completed(): void {
    this.#talk((session) => session.completed(this.#time.now));
  }

  /** SIGKILL: nothing more is said, and what was under way may still arrive. */
  die(noticed: boolean): void {
    this.#gone = true;
    this.#session = null;
    this.#cancelTick();
    this.#wire?.cut(noticed ? ['object'] : []);
  }

  #dial(): void {
    if (this.#gone) return;
    const wire = this.#connect();
    const session = new LinkProtocol(this.#run, this.#time.now);
    this.#wire = wire;
    this.#session = session;
    this.#inFlight = [];
    this.#next = null;
    wire.attach('wrapper', {
      received: (frame) => {
        if (this.#session !== session || typeof frame !== 'string') return;
        this.#noteReceived(frame);
        this.#talk(() => session.received(frame, this.#time.now));
      },
      closed: () => {
        if (this.#session === session) this.#lost();
      },
    });
    this.#talk(() => session.opened(this.#time.now));
  }

  #lost(): void {
    this.#session = null;
    this.#cancelTick();
    if (this.isAllStored) return;
    const pauseMs = backoffMs(this.#attempt, 250, RECONNECT_CAP_MS, this.#random.next());
    this.#attempt += 1;
    this.#time.after(pauseMs, () => this.#dial());
  }

  #talk(use: (session: LinkProtocol) => LinkAction[]): void {
    const session = this.#session;
    if (session === null) return;
    for (const action of use(session)) {
      if (this.#session !== session) return;
      this.#act(action, session);
    }
    if (this.#session !== session) return;
    this.#cancelTick();
    const wait = session.deadline() - this.#time.now;
    this.#cancelTick = this.#time.after(wait, () => this.#talk(() => session.tick(this.#time.now)));
  }

  #act(action: LinkAction, session: LinkProtocol): void {
    switch (action.kind) {
      case 'send':
        if (action.message.type !== 'start' && action.message.type !== 'killing' && action.message.type !== 'alive') {
          this.#mustBeAccepted(session, action.message.type);
        }
        if (action.message.type === 'gap') this.#mustContinue(action.message.from, action.message.to);
        this.#wire?.send('object', JSON.stringify(action.message));
        return;
      case 'send_output':
        this.#mustBeAccepted(session, 'output');
        this.#noteSent(action.frame);
        this.#wire?.send('object', encodeOutputFrame(action.frame));
        return;
      case 'send_heartbeat':
        this.#wire?.send('object', HEARTBEAT);
        return;
      case 'accepted':
        this.#attempt = 0;
        return;
      case 'kill':
        this.#onKill(action.kill);
        return;
      case 'all_stored':
        this.isAllStored = true;
        this.#wire?.cut([]);
        return;
      case 'hang_up':
        this.#wire?.cut(['object']);
        this.#lost();
        return;
      case 'stored':
      case 'note':
        return;
    }
  }

  #mustBeAccepted(session: LinkProtocol, what: string): void {
    if (!session.accepted) this.faults.push(`${what} before the start was acked`);
  }

  /** What is sent has no gaps and repeats nothing, unless it was asked for. */
  #mustContinue(start: number, end: number): void {
    if (start !== this.#next) this.faults.push(`sent ${start} where ${this.#next} is next`);
    this.#next = end;
  }

  #noteSent({ start, bytes }: OutputFrame): void {
    this.#mustContinue(start, start + bytes.length);
    this.#inFlight.push({ start, end: start + bytes.length });
    const inFlight = this.#inFlight.reduce((sum, each) => sum + each.end - each.start, 0);
    if (inFlight > MAX_UNACKED_BYTES) this.faults.push(`${inFlight} bytes in flight`);
  }

  #noteReceived(frame: string): void {
    const read = readObjectMessage(frame);
    if (read.kind !== 'message') return;
    const { message } = read;
    if (message.type === 'ack' && message.of === 'start') this.#next ??= Math.min(message.offset, this.#run.output.end);
    else if (message.type === 'ack' && message.of === 'output') this.#noteAcked(message.offset);
    else if (message.type === 'error' && message.expected !== undefined) this.#noteRefused(message.expected);
  }

  #noteAcked(offset: number): void {
    this.#next = Math.max(this.#next ?? 0, offset);
    this.#inFlight = this.#inFlight
      .filter(({ end }) => end > offset)
      .map(({ start, end }) => ({ start: Math.max(start, offset), end }));
  }

  /** What the object refused is no longer under way. */
  #noteRefused(expected: number): void {
    this.#next = expected;
    this.#inFlight = this.#inFlight.filter(({ start }) => start < expected);
  }
}

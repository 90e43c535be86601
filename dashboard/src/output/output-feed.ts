/**
 * Keeps a window on a run's output filled, whatever happens to the link.
 *
 * All of it comes over the watch socket, which tells the streams apart: the window opens some way before the end, and to
 * see more it is opened again further up. `behind` is answered by subscribing again, not by a fetch: everything that was
 * sent has been read by then, and output that is fetched no longer says which stream it is of.
 */
import { KIB, MIB } from '#protocol/limits';
import type { OutputFrame } from '#protocol/output-frame';
import type { ViewerMessage } from '#protocol/watch-link';
import { type LogBounds, OutputLog } from './output-log.ts';

/** How much is shown at first. */
export const TAIL_BYTES = 64 * KIB;
/** Further behind than this, what lies between would scroll by unread. */
const SKIP_BYTES = MIB;
/** How much more each request for earlier output brings. */
export const EARLIER_BYTES = 256 * KIB;
/** Further up than this the page does not go: the whole log is a link away. */
export const WINDOW_BYTES = 2 * MIB;
/** Acks are gathered: each one is a message that somebody pays for. */
const ACK_BYTES = 128 * KIB;
const ACK_MS = 500;

const TAIL_BOUNDS: LogBounds = { lines: 4_000, characters: MIB };
/** While somebody reads further up, the lines under their eyes stay, within reason. */
const HELD_BOUNDS: LogBounds = { lines: 12_000, characters: 3 * MIB };

export interface FeedPort {
  send(message: ViewerMessage): boolean;
  /** How many bytes there are by now; null when nobody can be asked. */
  fetchTotal(): Promise<number | null>;
  changed(): void;
  later(task: () => void, ms: number): void;
}

export class OutputFeed {
  readonly #run: string;
  readonly #port: FeedPort;
  #log: OutputLog;
  /** A window further up, filled until it reaches what is shown now; then it takes over. */
  #growing: OutputLog | null = null;
  #held = false;
  #acked = 0;
  #ackPlanned = false;
  /** Subscriptions that were sent and not confirmed. What comes before the confirmation answers an earlier one. */
  #unconfirmed = 0;
  #skipping = false;
  /** Where bytes were missing last. Missing there again, they are missing for good. */
  #holeAt: number | null = null;

  constructor(run: string, total: number, port: FeedPort) {
    this.#run = run;
    this.#port = port;
    this.#log = new OutputLog(Math.max(0, total - TAIL_BYTES), TAIL_BOUNDS);
  }

  get log(): OutputLog {
    return this.#log;
  }

  get loadingEarlier(): boolean {
    return this.#growing !== null;
  }

  /** Whether a wider window can be asked for. */
  get canLoadEarlier(): boolean {
    const { shownFrom, next, lines } = this.#log;
    return shownFrom > 0 && next - shownFrom < WINDOW_BYTES && lines.length < HELD_BOUNDS.lines;
  }

  /** The link is up, for the first time or again. */
  opened(): void {
    this.#unconfirmed = 0;
    this.#subscribe();
  }

  subscribed(): void {
    this.#unconfirmed = Math.max(0, this.#unconfirmed - 1);
  }

  frame(frame: OutputFrame): void {
    if (this.#isDeaf || this.#isHole(frame.start)) return;
    if (this.#filling.push(frame) === 'taken') this.#taken();
  }

  gap(from: number, to: number): void {
    if (this.#isDeaf || this.#isHole(from)) return;
    this.#filling.gap(to);
    this.#taken();
  }

  /** Too much was unacked, and nothing more comes by itself. */
  async behind(): Promise<void> {
    if (this.#isDeaf) return;
    // Who reads further up, or asked for what is further up, is not taken to the end.
    if (!this.#held && this.#growing === null) {
      this.#skipping = true;
      await this.#skipToEnd();
      this.#skipping = false;
    }
    this.#subscribe();
  }

  loadEarlier(): void {
    if (this.#growing !== null || !this.canLoadEarlier) return;
    this.#held = true;
    this.#growing = new OutputLog(Math.max(0, this.#log.shownFrom - EARLIER_BYTES), HELD_BOUNDS);
    this.#subscribe();
    this.#port.changed();
  }

  /** Somebody reads further up: don't take the lines away from them. */
  hold(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
    this.#log.setBounds(held ? HELD_BOUNDS : TAIL_BOUNDS);
    this.#port.changed();
  }

  get #filling(): OutputLog {
    return this.#growing ?? this.#log;
  }

  get #isDeaf(): boolean {
    return this.#unconfirmed > 0 || this.#skipping;
  }

  /** Asks again for what is missing before `start`; what never comes is shown as missing. */
  #isHole(start: number): boolean {
    const next = this.#filling.next;
    if (start <= next) return false;
    if (this.#holeAt === next) {
      this.#filling.gap(start);
      return false;
    }
    this.#holeAt = next;
    this.#subscribe();
    return true;
  }

  #subscribe(): void {
    const offset = this.#filling.next;
    this.#acked = offset;
    if (this.#port.send({ type: 'subscribe', run: this.#run, offset })) this.#unconfirmed += 1;
  }

  #taken(): void {
    if (this.#growing !== null && this.#growing.next >= this.#log.next) {
      this.#log = this.#growing;
      this.#growing = null;
    }
    this.#planAck();
    this.#port.changed();
  }

  #planAck(): void {
    if (this.#filling.next - this.#acked >= ACK_BYTES) {
      this.#ack();
    } else if (!this.#ackPlanned) {
      this.#ackPlanned = true;
      this.#port.later(() => {
        this.#ackPlanned = false;
        this.#ack();
      }, ACK_MS);
    }
  }

  #ack(): void {
    const offset = this.#filling.next;
    if (offset <= this.#acked) return;
    if (this.#port.send({ type: 'ack', run: this.#run, offset })) this.#acked = offset;
  }

  /** What is skipped can be loaded from there. */
  async #skipToEnd(): Promise<void> {
    const total = await this.#port.fetchTotal();
    if (total === null || total - this.#log.next <= SKIP_BYTES) return;
    this.#log = new OutputLog(total - TAIL_BYTES, TAIL_BOUNDS);
    this.#port.changed();
  }
}

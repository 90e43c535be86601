/**
 * Keeps a window on a run's output filled, whatever happens to the link.
 *
 * All of it comes over the watch socket, which tells the streams apart: the window opens some way before the end, and to
 * see more it is opened again further up. Only when the control plane says that we are too far behind is the rest
 * fetched over HTTPS.
 */
import { KIB, MIB } from '#protocol/limits';
import type { OutputFrame } from '#protocol/output-frame';
import type { ViewerMessage } from '#protocol/watch-link';
import type { OutputPiece } from '../api/calls.ts';
import type { Result } from '../api/failure.ts';
import { placePieces } from '../api/output-answer.ts';
import { type LogBounds, OutputLog } from './output-log.ts';

/** How much is shown at first. */
export const TAIL_BYTES = 64 * KIB;
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
  fetchOutput(offset: number): Promise<Result<OutputPiece>>;
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
  #catchingUp = false;

  constructor(run: string, total: number, port: FeedPort) {
    this.#run = run;
    this.#port = port;
    this.#log = openLog(Math.max(0, total - TAIL_BYTES), TAIL_BOUNDS);
  }

  get log(): OutputLog {
    return this.#log;
  }

  get loadingEarlier(): boolean {
    return this.#growing !== null;
  }

  /** Whether a wider window can be asked for. */
  get canLoadEarlier(): boolean {
    return this.#log.shownFrom > 0 && this.#log.next - this.#log.shownFrom < WINDOW_BYTES;
  }

  /** The link is up, for the first time or again. */
  opened(): void {
    this.#subscribe();
  }

  frame(frame: OutputFrame): void {
    if (this.#catchingUp) return;
    const log = this.#filling;
    if (log.push(frame) === 'hole') {
      this.#subscribe();
      return;
    }
    this.#taken();
  }

  gap(from: number, to: number): void {
    if (this.#catchingUp) return;
    if (from > this.#filling.next) {
      this.#subscribe();
      return;
    }
    this.#filling.gap(to);
    this.#taken();
  }

  /** Too much was unacked, and nothing more comes by itself. */
  async behind(): Promise<void> {
    if (this.#catchingUp) return;
    this.#catchingUp = true;
    try {
      await this.#catchUp();
    } finally {
      this.#catchingUp = false;
    }
    this.#subscribe();
  }

  loadEarlier(): void {
    if (this.#growing !== null || !this.canLoadEarlier) return;
    this.#held = true;
    this.#growing = openLog(Math.max(0, this.#log.shownFrom - EARLIER_BYTES), HELD_BOUNDS);
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

  #subscribe(): void {
    const offset = this.#filling.next;
    this.#acked = offset;
    this.#port.send({ type: 'subscribe', run: this.#run, offset });
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

  async #catchUp(): Promise<void> {
    const total = await this.#port.fetchTotal();
    if (total !== null && total - this.#filling.next > MIB) {
      // So far behind that it would scroll by unread: go to the end. What lies between can be loaded from there.
      this.#growing = null;
      this.#log = openLog(total - TAIL_BYTES, this.#held ? HELD_BOUNDS : TAIL_BOUNDS);
      this.#port.changed();
      return;
    }
    const offset = this.#filling.next;
    const answer = await this.#port.fetchOutput(offset);
    // Without an answer the subscription starts again from here, and the control plane says again what it thinks.
    if (!answer.ok) return;
    for (const piece of placePieces(offset, answer.value.bytes, answer.value.gaps)) {
      if (piece.kind === 'gap') this.#filling.gap(piece.to);
      else this.#filling.push({ stream: 'stdout', start: piece.start, bytes: piece.bytes });
    }
    this.#taken();
  }
}

function openLog(start: number, bounds: LogBounds): OutputLog {
  return new OutputLog(start, bounds);
}

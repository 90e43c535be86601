/**
 * Keeps a window on a run's output filled, whatever happens to the link.
 *
 * All of it comes over the watch socket, which tells the streams apart. The window opens some way before the end, and
 * slides from there: to see more it is subscribed to again further up or down, and what is too much at the other end goes.
 * Opened anywhere else, it holds as much at first, so that it is there as soon.
 * `behind` is answered by subscribing again, not by a fetch: everything that was sent has been read by then, and output
 * that is fetched no longer says which stream it is of.
 */
import { KIB, MIB } from '#protocol/limits';
import type { OutputFrame } from '#protocol/output-frame';
import type { ViewerMessage } from '#protocol/watch-link';
import { OutputWindow, type WindowBounds } from './output-window.ts';

/** How much is shown at first. */
export const TAIL_BYTES = 64 * KIB;
/** Further behind than this, what lies between would scroll by unread. */
const SKIP_BYTES = MIB;
/** How much more each request for earlier or later output brings: less than may be sent unacked. */
export const STEP_BYTES = 512 * KIB;
/** What is kept of the log at once. */
export const WINDOW_WEIGHT = 2 * MIB;
/** Acks are gathered: each one is a message that somebody pays for. */
const ACK_BYTES = 128 * KIB;
const ACK_MS = 500;
/** How often to see how much is new, when nothing of it is taken. */
const LOOK_MS = 5_000;
/** Beyond any end: a subscription there begins at the end, and says where that is. */
const THE_END = Number.MAX_SAFE_INTEGER;

export interface FeedPort {
  send(message: ViewerMessage): boolean;
  /** How many bytes there are by now; null when nobody can be asked. */
  fetchTotal(): Promise<number | null>;
  changed(): void;
  later(task: () => void, ms: number): void;
}

/** What is asked for beside the window, to be joined with it. */
interface Part {
  readonly window: OutputWindow;
  /** Up to here. */
  readonly until: number;
}

type Mode =
  /** The window's end is the log's. */
  | { readonly kind: 'live' }
  /** It ends before. What comes is counted, and not taken. */
  | { readonly kind: 'parked' }
  | { readonly kind: 'earlier'; readonly part: Part; readonly wasLive: boolean }
  | { readonly kind: 'later'; readonly part: Part }
  /** To be opened there. What was shown is shown until something has come. */
  | { readonly kind: 'elsewhere'; readonly part: Part };

/** What is being asked for. */
export type Loading = Exclude<Mode['kind'], 'live' | 'parked'>;

export class OutputFeed {
  readonly #run: string;
  readonly #port: FeedPort;
  #window: OutputWindow;
  #mode: Mode = { kind: 'live' };
  #bounds: WindowBounds = { weight: WINDOW_WEIGHT, rows: 10_000, columns: 80 };
  #held = false;
  #total: number;
  #drawn: number;
  #acked = 0;
  #ackPlanned = false;
  /** Too much was unacked: to go on once it is drawn. */
  #isBehind = false;
  /** Subscriptions that were sent and not confirmed. What comes before the confirmation answers an earlier one. */
  #unconfirmed = 0;
  #skipping = false;
  /** Whether the window is to open at the end, some way before it: where exactly, the subscription says. */
  #opensAtTail = false;
  /** Where bytes were missing last. Missing there again, they are missing for good. */
  #holeAt: number | null = null;

  constructor(run: string, total: number, port: FeedPort) {
    this.#run = run;
    this.#port = port;
    this.#total = total;
    this.#window = new OutputWindow(Math.max(0, total - TAIL_BYTES));
    this.#drawn = this.#window.start;
    this.#opensAtTail = this.#window.start > 0;
  }

  /** What there is to show. Another window than before has nothing to do with the last: it is to be drawn anew. */
  get window(): OutputWindow {
    return this.#window;
  }

  /** How many bytes there are, as far as it is known here. */
  get total(): number {
    return Math.max(this.#total, this.#window.next);
  }

  get loading(): Loading | null {
    const { kind } = this.#mode;
    return kind === 'live' || kind === 'parked' ? null : kind;
  }

  /** Where the window will be, once it has come; null while it is to stay. */
  get opening(): number | null {
    return this.#mode.kind === 'elsewhere' ? this.#mode.part.window.start : null;
  }

  /** Whether the window ends where the log does, and goes on with it. */
  get isLive(): boolean {
    return this.#mode.kind === 'live' || (this.#mode.kind === 'earlier' && this.#mode.wasLive);
  }

  /** The link is up, for the first time or again. */
  opened(): void {
    this.#unconfirmed = 0;
    this.#isBehind = false;
    this.#subscribe(this.#mode.kind === 'parked' ? THE_END : this.#filling.next);
  }

  /** @param from where what follows begins: what was asked for, or the end */
  subscribed(from: number): void {
    this.#unconfirmed = Math.max(0, this.#unconfirmed - 1);
    if (this.#opensAtTail && this.#unconfirmed === 0) {
      this.#opensAtTail = false;
      this.#open(from);
      this.#acked = from;
      this.#port.changed();
    }
    if (from > this.total) {
      this.#total = from;
      this.#port.changed();
    }
  }

  frame(frame: OutputFrame): void {
    if (this.#isDeaf) return;
    this.#total = Math.max(this.#total, frame.start + frame.bytes.length);
    if (this.#mode.kind === 'parked') {
      this.#port.changed();
    } else if (!this.#isHole(frame.start) && this.#filling.push(this.#wanted(frame)) === 'taken') {
      this.#taken();
    }
  }

  /** @param begin where the gap begins, if before `from` */
  gap(from: number, to: number, begin = from): void {
    if (this.#isDeaf) return;
    this.#total = Math.max(this.#total, to);
    if (this.#mode.kind === 'parked' || this.#isHole(from)) return;
    const end = this.#mode.kind === 'earlier' ? Math.min(to, this.#limit) : to;
    this.#passOver(end - this.#filling.next);
    this.#filling.gap(end, begin);
    this.#taken();
  }

  /** Too much was unacked, and nothing more comes by itself. */
  async behind(): Promise<void> {
    if (this.#isDeaf) return;
    switch (this.#mode.kind) {
      case 'live':
        this.#isBehind = true;
        return this.#goOn();
      case 'parked':
        this.#port.later(() => {
          if (this.#mode.kind === 'parked') this.#subscribe(THE_END);
        }, LOOK_MS);
        return;
      case 'earlier':
      case 'later':
      case 'elsewhere':
        this.#subscribe(this.#filling.next);
    }
  }

  /** All up to here is on the screen, and may be acked. */
  drawn(offset: number): void {
    this.#drawn = offset;
    this.#planAck();
    void this.#goOn();
  }

  /** What of the window is still on the screen; what is before is let go. */
  shownFrom(offset: number): void {
    if (this.#mode.kind !== 'earlier') this.#window.dropBefore(offset);
  }

  /** How much the screen holds. */
  fit(rows: number, columns: number): void {
    this.#bounds = { weight: WINDOW_WEIGHT, rows, columns };
  }

  /** Somebody reads further up: don't take the lines away from them. */
  hold(held: boolean): void {
    this.#held = held;
  }

  loadEarlier(stepBytes = STEP_BYTES): void {
    const until = this.#window.start;
    if (this.loading !== null || until === 0) return;
    const window = new OutputWindow(Math.max(0, until - stepBytes));
    this.#switchTo({ kind: 'earlier', part: { window, until }, wasLive: this.#mode.kind === 'live' }, window.start);
  }

  loadLater(): void {
    const { next } = this.#window;
    if (this.#mode.kind !== 'parked') return;
    if (next >= this.total) this.#switchTo({ kind: 'live' }, next);
    else this.#fillAfter(next);
  }

  /** Opens anew at any place of the log. */
  openAt(offset: number): void {
    const part = { window: new OutputWindow(offset), until: offset + TAIL_BYTES };
    this.#switchTo({ kind: 'elsewhere', part }, offset);
  }

  toEnd(): void {
    this.#held = false;
    if (this.isLive) return;
    this.#openTail();
    this.#switchTo({ kind: 'live' }, this.#window.next);
  }

  #fillAfter(offset: number): void {
    const part = { window: new OutputWindow(offset), until: offset + STEP_BYTES };
    this.#switchTo({ kind: 'later', part }, offset);
  }

  get #part(): Part | null {
    return this.#mode.kind === 'live' || this.#mode.kind === 'parked' ? null : this.#mode.part;
  }

  get #filling(): OutputWindow {
    return this.#part?.window ?? this.#window;
  }

  /** What comes beyond this is not taken. */
  get #limit(): number {
    return this.#part?.until ?? THE_END;
  }

  get #isDeaf(): boolean {
    return this.#unconfirmed > 0 || this.#skipping;
  }

  #wanted(frame: OutputFrame): OutputFrame {
    return { ...frame, bytes: frame.bytes.subarray(0, Math.max(0, this.#limit - frame.start)) };
  }

  /** Asks again for what is missing before `start`; what never comes is shown as missing. */
  #isHole(start: number): boolean {
    const { next } = this.#filling;
    if (start <= next) return false;
    if (this.#holeAt === next) {
      this.#filling.gap(Math.min(start, this.#limit));
      return false;
    }
    this.#holeAt = next;
    this.#subscribe(next);
    return true;
  }

  #openTail(): void {
    this.#open(Math.max(0, this.total - TAIL_BYTES));
    this.#opensAtTail = this.#window.start > 0;
  }

  /** What is missing of a part that is asked for uses up nothing of it. Earlier parts end where the window begins. */
  #passOver(missing: number): void {
    const mode = this.#mode;
    if (missing <= 0 || (mode.kind !== 'later' && mode.kind !== 'elsewhere')) return;
    this.#mode = { ...mode, part: { ...mode.part, until: mode.part.until + missing } };
  }

  #open(start: number): void {
    this.#window = new OutputWindow(start);
    this.#drawn = start;
    this.#isBehind = false;
  }

  #switchTo(mode: Mode, offset: number): void {
    this.#mode = mode;
    this.#isBehind = false;
    this.#subscribe(offset);
    this.#port.changed();
  }

  #subscribe(offset: number): void {
    this.#acked = offset;
    // Of a tail the place is known once it is confirmed.
    this.#opensAtTail &&= this.#mode.kind === 'live';
    if (this.#opensAtTail) {
      if (this.#port.send({ type: 'subscribe', run: this.#run, offset: 0, tail: TAIL_BYTES })) this.#unconfirmed += 1;
      return;
    }
    const wanted = this.#part === null ? {} : { bytes: Math.max(1, this.#part.until - offset) };
    if (this.#port.send({ type: 'subscribe', run: this.#run, offset, ...wanted })) this.#unconfirmed += 1;
  }

  #taken(): void {
    const mode = this.#mode;
    if (mode.kind === 'live') this.#keepWithinBounds();
    if (mode.kind === 'earlier' && mode.part.window.next >= mode.part.until) this.#joinEarlier(mode.part, mode.wasLive);
    if (mode.kind === 'later' && this.#isWhole(mode.part)) this.#joinLater(this.#window, mode.part);
    if (mode.kind === 'elsewhere' && this.#isWhole(mode.part)) {
      this.#joinLater(new OutputWindow(mode.part.window.start), mode.part);
    }
    this.#port.changed();
  }

  #isWhole({ window, until }: Part): boolean {
    return window.next >= Math.min(until, this.total);
  }

  #keepWithinBounds(): void {
    if (this.#window.isWithin(this.#bounds)) return;
    if (this.#held) this.#switchTo({ kind: 'parked' }, THE_END);
    // How many rows there are, the screen knows better.
    else this.#window.dropToFit({ ...this.#bounds, rows: Number.POSITIVE_INFINITY });
  }

  #joinEarlier(part: Part, wasLive: boolean): void {
    const { next } = this.#window;
    this.#window = part.window.joinedWith(this.#window, this.#bounds, 'before');
    this.#goOnAfter(next, wasLive);
    // A gap alone is nothing to read: what was asked for is what comes before it.
    const gap = part.window.isGap ? part.window.read(part.window.start) : null;
    if (gap?.kind === 'gap') this.loadEarlier(this.#window.start - gap.begin + STEP_BYTES);
  }

  #joinLater(before: OutputWindow, part: Part): void {
    const { next } = part.window;
    this.#window = before.joinedWith(part.window, this.#bounds, 'after');
    this.#goOnAfter(next, next >= this.total);
  }

  /** @param end where the window ends, unless joining it has cut it off there */
  #goOnAfter(end: number, isLive: boolean): void {
    this.#drawn = this.#window.start;
    if (isLive && this.#window.next === end) this.#switchTo({ kind: 'live' }, end);
    else this.#switchTo({ kind: 'parked' }, THE_END);
  }

  #planAck(): void {
    if (this.#drawn - this.#acked >= ACK_BYTES) {
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
    const offset = this.#drawn;
    if (this.#mode.kind !== 'live' || this.#unconfirmed > 0 || offset <= this.#acked) return;
    if (this.#port.send({ type: 'ack', run: this.#run, offset })) this.#acked = offset;
  }

  /** After `behind`: not before all that came is drawn, so that a flood is drawn as fast as the page can, and no faster. */
  async #goOn(): Promise<void> {
    if (!this.#isBehind || this.#mode.kind !== 'live' || this.#drawn < this.#window.next) return;
    this.#isBehind = false;
    // Who reads further up is not taken to the end.
    if (!this.#held) {
      this.#skipping = true;
      await this.#skipToEnd();
      this.#skipping = false;
      // Meanwhile the reader went elsewhere, and has subscribed there.
      if (this.#mode.kind !== 'live' || this.#unconfirmed > 0) return;
    }
    this.#subscribe(this.#window.next);
  }

  /** What is skipped can be loaded from there. */
  async #skipToEnd(): Promise<void> {
    const window = this.#window;
    const total = await this.#port.fetchTotal();
    if (total === null || this.#window !== window || this.#held || total - window.next <= SKIP_BYTES) return;
    this.#total = total;
    this.#openTail();
    this.#port.changed();
  }
}

/**
 * Keeps a window of a run's output filled, whatever happens to the link.
 *
 * All output arrives over the watch socket, whose frames carry their stream. The window opens `TAIL_BYTES` before the
 * end and slides from there: to show more, the feed subscribes again further up or down, and drops the excess at the
 * other end. Opened elsewhere, the window holds as much at first.
 * The feed responds to `behind` by subscribing again, not by a fetch: everything that was sent has been read by then,
 * and fetched output doesn't carry its stream.
 */
import { KIB, MIB } from '#protocol/limits';
import type { OutputFrame } from '#protocol/output-frame';
import type { ViewerMessage } from '#protocol/watch-link';
import { OutputWindow, type WindowBounds } from './output-window.ts';

/** How much is shown at first. */
export const TAIL_BYTES = 64 * KIB;
/** If the reader is further behind than this, the output in between is skipped: it would scroll by unread. */
const SKIP_BYTES = MIB;
/** How much each request for earlier or later output adds: less than may be sent unacked. */
export const STEP_BYTES = 512 * KIB;
/** How much of the output is kept at once. */
export const WINDOW_WEIGHT = 2 * MIB;
/** Acks are batched, because each message is billed. */
const ACK_BYTES = 128 * KIB;
const ACK_MS = 500;
/** How often to look for new output while none is taken. */
const LOOK_MS = 5_000;
/** Beyond any end: a subscription there begins at the end, and its confirmation says where that is. */
const THE_END = Number.MAX_SAFE_INTEGER;

export interface FeedPort {
  send(message: ViewerMessage): boolean;
  /** How many bytes are stored now; null when the request fails. */
  fetchTotal(): Promise<number | null>;
  changed(): void;
  later(task: () => void, ms: number): void;
}

/** Output that was requested besides the window, to be joined with it. */
interface PendingWindow {
  readonly window: OutputWindow;
  /** Up to here. */
  readonly until: number;
}

type Mode =
  /** The window ends where the output does. */
  | { readonly kind: 'live' }
  /** The window ends earlier. New output is counted, not taken. */
  | { readonly kind: 'parked' }
  | { readonly kind: 'earlier'; readonly pending: PendingWindow; readonly wasLive: boolean }
  | { readonly kind: 'later'; readonly pending: PendingWindow }
  /** To be opened elsewhere. The old window is shown until output has arrived. */
  | { readonly kind: 'elsewhere'; readonly pending: PendingWindow };

/** Which output is being requested. */
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
  /** Too much was unacked: the feed continues once it is drawn. */
  #isBehind = false;
  /** Subscriptions that were sent and not confirmed. What arrives before the confirmation belongs to an earlier one. */
  #unconfirmed = 0;
  #skipping = false;
  /** Whether the window opens at the tail; the subscription's confirmation says at which offset. */
  #opensAtTail = false;
  /** Where bytes were missing last. If they are missing again, they are permanently missing. */
  #missingAt: number | null = null;

  constructor(run: string, total: number, port: FeedPort) {
    this.#run = run;
    this.#port = port;
    this.#total = total;
    this.#window = new OutputWindow(Math.max(0, total - TAIL_BYTES));
    this.#drawn = this.#window.start;
    this.#opensAtTail = this.#window.start > 0;
  }

  /** What to show. Another window than before is unrelated to the last one and needs a redraw. */
  get window(): OutputWindow {
    return this.#window;
  }

  /** How many bytes are stored, as far as we know. */
  get total(): number {
    return Math.max(this.#total, this.#window.next);
  }

  get loading(): Loading | null {
    const { kind } = this.#mode;
    return kind === 'live' || kind === 'parked' ? null : kind;
  }

  /** The offset at which another window is being opened; null if none is. */
  get opening(): number | null {
    return this.#mode.kind === 'elsewhere' ? this.#mode.pending.window.start : null;
  }

  /** Whether the window ends where the output does, and follows it. */
  get isLive(): boolean {
    return this.#mode.kind === 'live' || (this.#mode.kind === 'earlier' && this.#mode.wasLive);
  }

  /** The link is up, for the first time or again. */
  opened(): void {
    this.#unconfirmed = 0;
    this.#isBehind = false;
    this.#subscribe(this.#mode.kind === 'parked' ? THE_END : this.#filling.next);
  }

  /** @param from the offset at which the output starts: the requested one, or the end */
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
    if (this.#isIgnoring) return;
    this.#total = Math.max(this.#total, frame.start + frame.bytes.length);
    if (this.#mode.kind === 'parked') {
      this.#port.changed();
    } else if (!this.#isMissing(frame.start) && this.#filling.push(this.#wanted(frame)) === 'taken') {
      this.#taken();
    }
  }

  /** @param begin where the gap begins, if before `from` */
  gap(from: number, to: number, begin = from): void {
    if (this.#isIgnoring) return;
    this.#total = Math.max(this.#total, to);
    if (this.#mode.kind === 'parked' || this.#isMissing(from)) return;
    const end = this.#mode.kind === 'earlier' ? Math.min(to, this.#limit) : to;
    this.#extendOver(end - this.#filling.next);
    this.#filling.gap(end, begin);
    this.#taken();
  }

  /** Too much was unacked: nothing more arrives without a new subscription. */
  async behind(): Promise<void> {
    if (this.#isIgnoring) return;
    switch (this.#mode.kind) {
      case 'live':
        this.#isBehind = true;
        return this.#continue();
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

  /** All output up to here is on the screen and may be acked. */
  drawn(offset: number): void {
    this.#drawn = offset;
    this.#planAck();
    void this.#continue();
  }

  /** The screen begins at this offset; what is before it is dropped. */
  shownFrom(offset: number): void {
    if (this.#mode.kind !== 'earlier') this.#window.dropBefore(offset);
  }

  /** How much the screen holds. */
  fit(rows: number, columns: number): void {
    this.#bounds = { weight: WINDOW_WEIGHT, rows, columns };
  }

  /** @param held whether the reader is further up: then no lines are dropped */
  hold(held: boolean): void {
    this.#held = held;
  }

  loadEarlier(stepBytes = STEP_BYTES): void {
    const until = this.#window.start;
    if (this.loading !== null || until === 0) return;
    const window = new OutputWindow(Math.max(0, until - stepBytes));
    this.#switchTo({ kind: 'earlier', pending: { window, until }, wasLive: this.#mode.kind === 'live' }, window.start);
  }

  loadLater(): void {
    const { next } = this.#window;
    if (this.#mode.kind !== 'parked') return;
    if (next >= this.total) this.#switchTo({ kind: 'live' }, next);
    else this.#fillAfter(next);
  }

  /** Opens another window, at any offset of the output. */
  openAt(offset: number): void {
    const pending = { window: new OutputWindow(offset), until: offset + TAIL_BYTES };
    this.#switchTo({ kind: 'elsewhere', pending }, offset);
  }

  toEnd(): void {
    this.#held = false;
    if (this.isLive) return;
    this.#openTail();
    this.#switchTo({ kind: 'live' }, this.#window.next);
  }

  #fillAfter(offset: number): void {
    const pending = { window: new OutputWindow(offset), until: offset + STEP_BYTES };
    this.#switchTo({ kind: 'later', pending }, offset);
  }

  get #pending(): PendingWindow | null {
    return this.#mode.kind === 'live' || this.#mode.kind === 'parked' ? null : this.#mode.pending;
  }

  get #filling(): OutputWindow {
    return this.#pending?.window ?? this.#window;
  }

  /** Output beyond this offset is not taken. */
  get #limit(): number {
    return this.#pending?.until ?? THE_END;
  }

  get #isIgnoring(): boolean {
    return this.#unconfirmed > 0 || this.#skipping;
  }

  #wanted(frame: OutputFrame): OutputFrame {
    return { ...frame, bytes: frame.bytes.subarray(0, Math.max(0, this.#limit - frame.start)) };
  }

  /** Requests what is missing before `start` again; if it is missing twice, it is shown as a gap. */
  #isMissing(start: number): boolean {
    const { next } = this.#filling;
    if (start <= next) return false;
    if (this.#missingAt === next) {
      this.#filling.gap(Math.min(start, this.#limit));
      return false;
    }
    this.#missingAt = next;
    this.#subscribe(next);
    return true;
  }

  #openTail(): void {
    this.#open(Math.max(0, this.total - TAIL_BYTES));
    this.#opensAtTail = this.#window.start > 0;
  }

  /** A gap doesn't count against the requested bytes. An earlier window has a fixed end: where this window begins. */
  #extendOver(missing: number): void {
    const mode = this.#mode;
    if (missing <= 0 || (mode.kind !== 'later' && mode.kind !== 'elsewhere')) return;
    this.#mode = { ...mode, pending: { ...mode.pending, until: mode.pending.until + missing } };
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
    // The confirmation says where the tail begins.
    this.#opensAtTail &&= this.#mode.kind === 'live';
    if (this.#opensAtTail) {
      if (this.#port.send({ type: 'subscribe', run: this.#run, offset: 0, tail: TAIL_BYTES })) this.#unconfirmed += 1;
      return;
    }
    const wanted = this.#pending === null ? {} : { bytes: Math.max(1, this.#pending.until - offset) };
    if (this.#port.send({ type: 'subscribe', run: this.#run, offset, ...wanted })) this.#unconfirmed += 1;
  }

  #taken(): void {
    const mode = this.#mode;
    if (mode.kind === 'live') this.#keepWithinBounds();
    if (mode.kind === 'earlier' && mode.pending.window.next >= mode.pending.until)
      this.#joinEarlier(mode.pending, mode.wasLive);
    if (mode.kind === 'later' && this.#isWhole(mode.pending)) this.#joinLater(this.#window, mode.pending);
    if (mode.kind === 'elsewhere' && this.#isWhole(mode.pending)) {
      this.#joinLater(new OutputWindow(mode.pending.window.start), mode.pending);
    }
    this.#port.changed();
  }

  #isWhole({ window, until }: PendingWindow): boolean {
    return window.next >= Math.min(until, this.total);
  }

  #keepWithinBounds(): void {
    if (this.#window.isWithin(this.#bounds)) return;
    if (this.#held) this.#switchTo({ kind: 'parked' }, THE_END);
    // Only the screen knows the number of rows.
    else this.#window.dropToFit({ ...this.#bounds, rows: Number.POSITIVE_INFINITY });
  }

  #joinEarlier(pending: PendingWindow, wasLive: boolean): void {
    const { next } = this.#window;
    this.#window = pending.window.joinedWith(this.#window, this.#bounds, 'before');
    this.#continueAfter(next, wasLive);
    // A gap alone shows nothing to read: load what is before it.
    const gap = pending.window.isGap ? pending.window.read(pending.window.start) : null;
    if (gap?.kind === 'gap') this.loadEarlier(this.#window.start - gap.begin + STEP_BYTES);
  }

  #joinLater(before: OutputWindow, pending: PendingWindow): void {
    const { next } = pending.window;
    this.#window = before.joinedWith(pending.window, this.#bounds, 'after');
    this.#continueAfter(next, next >= this.total);
  }

  /** @param end where the window ends, unless joining has cut its end off */
  #continueAfter(end: number, isLive: boolean): void {
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

  /** Continues after `behind`, once all that arrived is drawn: a flood is sent only as fast as it can be drawn. */
  async #continue(): Promise<void> {
    if (!this.#isBehind || this.#mode.kind !== 'live' || this.#drawn < this.#window.next) return;
    this.#isBehind = false;
    // A reader further up isn't moved to the end.
    if (!this.#held) {
      this.#skipping = true;
      await this.#skipToEnd();
      this.#skipping = false;
      // Meanwhile the reader may have gone elsewhere, with a subscription there.
      if (this.#mode.kind !== 'live' || this.#unconfirmed > 0) return;
    }
    this.#subscribe(this.#window.next);
  }

  /** The skipped output can be loaded from the end. */
  async #skipToEnd(): Promise<void> {
    const window = this.#window;
    const total = await this.#port.fetchTotal();
    if (total === null || this.#window !== window || this.#held || total - window.next <= SKIP_BYTES) return;
    this.#total = total;
    this.#openTail();
    this.#port.changed();
  }
}

/**
 * Follows one run's output over a watch link that may break at any time: each byte once, in order, and every gap. Pure.
 *
 * What arrives before a subscription is confirmed belongs to an earlier one. Whenever the link opens, or the control plane
 * has stopped sending because too much is unacked, the follower subscribes again at the first byte that it doesn't have.
 */
import type { Run } from '#protocol/api';
import { KIB } from '#protocol/limits';
import type { OutputFrame } from '#protocol/output-frame';
import type { ViewerMessage, WatchMessage } from '#protocol/watch-link';

/** Acks are batched, because each message is billed. A viewer may leave eight times as much unacked. */
const ACK_BYTES = 128 * KIB;

export interface FollowerPort {
  /** @returns whether the link is up */
  send(message: ViewerMessage): boolean;
  /** Called with bytes that were not taken before. */
  output(frame: OutputFrame): void;
  /** The bytes [from, to) are permanently missing. */
  gap(from: number, to: number): void;
}

export class OutputFollower {
  readonly #run: string;
  readonly #port: FollowerPort;
  #next: number;
  #acked: number;
  #unconfirmed = 0;
  #isBehind = false;
  #isPaused = false;
  /** Where bytes were missing last. If they are missing again, they are permanently missing. */
  #missingAt: number | null = null;

  constructor(run: string, offset: number, port: FollowerPort) {
    this.#run = run;
    this.#port = port;
    this.#next = offset;
    this.#acked = offset;
  }

  /** The offset of the first byte that was not taken. */
  get next(): number {
    return this.#next;
  }

  /** The link is up, for the first time or again. */
  opened(): void {
    this.#unconfirmed = 0;
    this.#isBehind = true;
    this.#continue();
  }

  message(message: WatchMessage): void {
    if (!('run' in message) || message.run !== this.#run) return;
    switch (message.type) {
      case 'subscribed':
        this.#unconfirmed = Math.max(0, this.#unconfirmed - 1);
        return;
      case 'gap':
        if (!this.#isIgnoring && !this.#isMissing(message.from)) this.#skipTo(message.to);
        return;
      case 'behind':
        if (this.#isIgnoring) return;
        this.#isBehind = true;
        this.#continue();
        return;
      case 'event':
      case 'run_removed':
        return;
    }
  }

  frame({ stream, start, bytes }: OutputFrame): void {
    if (this.#isIgnoring || this.#isMissing(start)) return;
    const end = start + bytes.length;
    if (end <= this.#next) return;
    const frame = { stream, start: this.#next, bytes: bytes.subarray(this.#next - start) };
    this.#next = end;
    this.#port.output(frame);
    this.#ackIfMuch();
  }

  /** The reader is slow: nothing more is acked, so that the control plane stops sending. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#isBehind) this.#continue();
    else this.#ackIfMuch();
  }

  get #isIgnoring(): boolean {
    return this.#unconfirmed > 0;
  }

  #continue(): void {
    if (!this.#isBehind || this.#isPaused) return;
    this.#isBehind = false;
    this.#subscribe();
  }

  /** Requests what is missing before `start` again; if it is missing twice, it is a gap. */
  #isMissing(start: number): boolean {
    if (start <= this.#next) return false;
    if (this.#missingAt === this.#next) {
      this.#skipTo(start);
      return false;
    }
    this.#missingAt = this.#next;
    this.#subscribe();
    return true;
  }

  #skipTo(offset: number): void {
    if (offset <= this.#next) return;
    const from = this.#next;
    this.#next = offset;
    this.#port.gap(from, offset);
  }

  #subscribe(): void {
    this.#acked = this.#next;
    if (this.#port.send({ type: 'subscribe', run: this.#run, offset: this.#next })) this.#unconfirmed += 1;
  }

  #ackIfMuch(): void {
    if (this.#isPaused || this.#isIgnoring || this.#next - this.#acked < ACK_BYTES) return;
    if (this.#port.send({ type: 'ack', run: this.#run, offset: this.#next })) this.#acked = this.#next;
  }
}

/** Whether a run has ended, and all its output has been taken. */
export function isComplete(run: Run, next: number): boolean {
  return run.final && next >= (run.output_total_bytes ?? run.output_bytes);
}

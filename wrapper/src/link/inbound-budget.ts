/**
 * How much a control plane may send to one run, over all of its connections. Each frame takes time that this process needs
 * for the command's output, limits and signals: a faulty or stolen control plane must not slow a command.
 */
import { performance } from 'node:perf_hooks';
import { KIB, MIB } from '#protocol/limits';
import { TokenBucket } from '../clock/token-bucket.ts';

/**
 * A control plane acks output, answers a heartbeat every few seconds, and sends hardly anything else. This many frames take
 * some 50 ms.
 */
const BURST_FRAMES = 5_000;
const FRAMES_PER_SECOND = 50;
/** Output causes acks: a command that prints to both streams in turns may get a thousand a second. */
const FRAMES_PER_OUTPUT_FRAME = 2;

/** The largest valid message is a kill: some KiB. */
const BURST_BYTES = MIB;
const BYTES_PER_SECOND = 64 * KIB;
const BYTES_PER_OUTPUT_FRAME = 512;

export class InboundBudget {
  readonly #frames: TokenBucket;
  readonly #bytes: TokenBucket;

  /** @param now milliseconds on a clock that never goes back */
  constructor(now = () => performance.now()) {
    this.#frames = new TokenBucket(BURST_FRAMES, FRAMES_PER_SECOND, now);
    this.#bytes = new TokenBucket(BURST_BYTES, BYTES_PER_SECOND, now);
  }

  /** Counts a received frame; false: that was one too many. */
  takeFrame(): boolean {
    return this.#frames.take();
  }

  /** Counts received bytes of any kind; false: those were too many. */
  takeBytes(count: number): boolean {
    return this.#bytes.take(count);
  }

  /** Counts a sent frame of output, which will be acked. */
  outputSent(): void {
    this.#frames.add(FRAMES_PER_OUTPUT_FRAME);
    this.#bytes.add(BYTES_PER_OUTPUT_FRAME);
  }
}

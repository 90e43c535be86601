/**
 * Whoever reads the output of a running run gets what was printed before: its wrapper, which sends seldom while no
 * viewer follows the run, is asked for it first. A link that doesn't answer delays the reader for a moment only.
 */
import type { Flushed } from '#protocol/wrapper-link';
import { withTimeout } from '#shared/with-timeout';
import type { JobContext } from './job-context.ts';
import type { RunRecord } from './run-store.ts';
import { attachmentOf, send } from './sockets.ts';

const WAIT_MS = 1_000;

interface Flush {
  readonly run: string;
  /** Where the output ended when the wrapper answered; null until then. */
  to: number | null;
  done(): void;
}

export class OutputFlush {
  readonly #job: JobContext;
  /** Those that are waited for, by their id. */
  readonly #pending = new Map<number, Flush>();
  /** An answer to what was asked before the object was evicted must not be taken for another. */
  #lastId = Date.now();

  constructor(job: JobContext) {
    this.#job = job;
  }

  /** Resolves when what was printed before is stored, or can't be had now. Never rejects. */
  async flush(id: string): Promise<void> {
    const run = this.#job.runs.get(id);
    const socket = run === null || run.suspectedSince !== null ? null : this.#job.sockets.current(run);
    if (run === null || socket === null || isComplete(run) || !answersFlush(socket)) return;
    this.#lastId += 1;
    const flush = this.#lastId;
    const stored = new Promise<void>((resolve) => {
      this.#pending.set(flush, { run: id, to: null, done: resolve });
    });
    send(socket, { type: 'flush', id: flush });
    await withTimeout(stored, WAIT_MS, { fallback: undefined });
    this.#pending.delete(flush);
  }

  /** The wrapper says where its output ended. */
  answered(run: RunRecord, { id, to }: Flushed): void {
    const flush = this.#pending.get(id);
    if (flush?.run !== run.id) return;
    flush.to = to;
    this.stored(run.id, run.outputEnd);
  }

  /** Output is stored up to `end`. */
  stored(run: string, end: number): void {
    for (const flush of this.#pending.values()) {
      if (flush.run === run && flush.to !== null && flush.to <= end) flush.done();
    }
  }

  /** The run's link is closed. */
  linkClosed(run: string): void {
    for (const flush of this.#pending.values()) if (flush.run === run) flush.done();
  }
}

function isComplete({ finalOffset, outputEnd }: RunRecord): boolean {
  return finalOffset !== null && outputEnd >= finalOffset;
}

function answersFlush(socket: WebSocket): boolean {
  const attachment = attachmentOf(socket);
  return attachment.kind === 'wrapper' && attachment.answersFlush;
}

/** Stores a run's output as it arrives: each byte once, in order, before it is acked. */
import type { OutputFrame } from '#protocol/output-frame';
import type { Gap, LinkError } from '#protocol/wrapper-link';
import type { JobContext } from './job-context.ts';
import { classifyRange } from './output-store.ts';
import type { RunRecord } from './run-store.ts';

export type IngestResult =
  /** Output is stored up to here: ack that. */
  | { readonly kind: 'stored'; readonly end: number }
  | { readonly kind: 'refused'; readonly error: Omit<LinkError, 'type'> };

export class OutputIngest {
  readonly #job: JobContext;

  constructor(job: JobContext) {
    this.#job = job;
  }

  append(run: RunRecord, { stream, start, bytes }: OutputFrame): IngestResult {
    return this.#ingest(run, start, start + bytes.length, () =>
      this.#job.outputQuota.append(run, { stream, start: run.outputEnd, bytes: bytes.subarray(run.outputEnd - start) }),
    );
  }

  /** Bytes that the machine had to drop. */
  appendGap(run: RunRecord, { from, to }: Gap): IngestResult {
    if (to <= from) return refused({ code: 'bad_offset', message: 'a gap must end after it starts' });
    return this.#ingest(run, from, to, () => {
      const size = this.#job.output.appendGap(run.id, run.outputEnd, to);
      this.#job.runUpdater.addEvents(run, {
        type: 'output_gap',
        at: new Date().toISOString(),
        from: run.outputEnd,
        to,
      });
      return size;
    });
  }

  /** @param store appends the new part of [start, end), and returns the storage that it takes */
  #ingest(run: RunRecord, start: number, end: number, store: () => number): IngestResult {
    if (run.finalOffset !== null && end > run.finalOffset) {
      return refused({ code: 'bad_offset', message: `the run has ended and its output ends at ${run.finalOffset}` });
    }
    switch (classifyRange(run.outputEnd, start, end)) {
      case 'gap':
        return refused({
          code: 'gap',
          message: `output is stored up to ${run.outputEnd}; continue from there`,
          expected: run.outputEnd,
        });
      case 'duplicate':
        return { kind: 'stored', end: run.outputEnd };
      case 'append':
        this.#advance(run, end, store());
        return { kind: 'stored', end };
    }
  }

  #advance(run: RunRecord, outputEnd: number, size: number): void {
    this.#job.runs.growOutput(run, outputEnd, size);
    this.#job.viewers.output(run.id);
    this.#job.outputFlush.stored(run.id, outputEnd);
    // Output may arrive after the completion: with its last byte the index gets the true size.
    if (run.final && outputEnd === run.finalOffset) this.#job.runUpdater.update(run, { outputEnd });
    // Last: viewers get new output before any is removed.
    this.#job.outputQuota.enforce(run.id);
  }
}

/** The link itself is fine: the wrapper may continue. */
function refused(error: Omit<LinkError, 'type' | 'retry'>): IngestResult {
  return { kind: 'refused', error: { ...error, retry: null } };
}

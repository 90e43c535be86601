/** Takes a run's output as it arrives: each byte once, in order, stored before it is acked. */
import type { OutputFrame } from '#protocol/output-frame';
import type { Gap, LinkError } from '#protocol/wrapper-link';
import type { Journal } from './journal.ts';
import type { OutputBounds } from './output-bounds.ts';
import { type OutputLog, placeOutput } from './output-log.ts';
import type { RunRecord, RunStore } from './run-store.ts';
import type { Viewers } from './viewers.ts';

export type Intake =
  /** The log is stored up to here: ack that. */
  | { readonly kind: 'stored'; readonly end: number }
  | { readonly kind: 'refused'; readonly error: Omit<LinkError, 'type'> };

export class OutputIntake {
  readonly #runs: RunStore;
  readonly #output: OutputLog;
  readonly #journal: Journal;
  readonly #viewers: Viewers;
  readonly #bounds: OutputBounds;

  constructor(parts: {
    runs: RunStore;
    output: OutputLog;
    journal: Journal;
    viewers: Viewers;
    bounds: OutputBounds;
  }) {
    this.#runs = parts.runs;
    this.#output = parts.output;
    this.#journal = parts.journal;
    this.#viewers = parts.viewers;
    this.#bounds = parts.bounds;
  }

  take(run: RunRecord, { stream, start, bytes }: OutputFrame): Intake {
    return this.#place(run, start, start + bytes.length, () =>
      this.#bounds.store(run, { stream, start: run.outputEnd, bytes: bytes.subarray(run.outputEnd - start) }),
    );
  }

  /** Bytes that the machine had to drop. */
  takeGap(run: RunRecord, { from, to }: Gap): Intake {
    if (to <= from) return refused({ code: 'bad_offset', message: 'a gap ends after it starts' });
    return this.#place(run, from, to, () => {
      const size = this.#output.appendLost(run.id, run.outputEnd, to);
      this.#journal.tell(run, { type: 'output_gap', at: new Date().toISOString(), from: run.outputEnd, to });
      return size;
    });
  }

  /** @param store puts what is new of [start, end) at the end of the log, and says what that takes in storage */
  #place(run: RunRecord, start: number, end: number, store: () => number): Intake {
    if (run.finalOffset !== null && end > run.finalOffset) {
      return refused({ code: 'bad_offset', message: `the run has ended with its output at ${run.finalOffset}` });
    }
    switch (placeOutput(run.outputEnd, start, end)) {
      case 'gap':
        return refused({
          code: 'gap',
          message: `output is stored up to ${run.outputEnd}: continue from there`,
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
    this.#runs.growOutput(run.id, outputEnd, size);
    this.#viewers.output(run.id);
    // Output that trails the completion: with its last byte the lists learn the true size.
    if (run.final && outputEnd === run.finalOffset) this.#journal.change(run, { outputEnd });
    // Last: those who watch get what is new before anything makes way for it.
    this.#bounds.keep(run.id);
  }
}

/** Nothing is wrong with the link: the wrapper may go on. */
function refused(error: Omit<LinkError, 'type' | 'retry'>): Intake {
  return { kind: 'refused', error: { ...error, retry: null } };
}

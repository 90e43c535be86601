/** Follows the output of one run to its end. */
import type { Run } from '#protocol/api';
import type { OutputFrame } from '#protocol/output-frame';
import type { WatchMessage } from '#protocol/watch-link';
import { EXIT } from '../exit-codes.ts';
import { getRun } from '../find-run.ts';
import type { OperatorContext } from '../operator-context.ts';
import { ApiError, OperatorError } from '../operator-error.ts';
import type { Producer, ReaderPace } from '../reader-pace.ts';
import { openWatch } from '../watch/open-watch.ts';
import type { WatchLink } from '../watch/watch-link.ts';
import { isComplete, OutputFollower } from './output-follower.ts';
import { OutputPrinter } from './output-printer.ts';
import { gapText, isSafe, type PrintOptions } from './print-options.ts';

export interface FollowedRun {
  readonly run: Run;
  readonly offset: number;
  /** What was printed before the offset and is to be shown first, of both streams. */
  readonly before: Uint8Array;
  /** What each line begins with; empty for a run alone. */
  readonly prefix: string;
  /** Others are followed beside it, and one of them says when the connection is lost. */
  readonly isQuiet: boolean;
}

/** How long the last output of a run that has ended may take: its machine may be sending it. */
const LAST_OUTPUT_MS = 15_000;

/** Where output is printed, and how. */
export interface Printing {
  readonly options: PrintOptions;
  readonly pace: ReaderPace;
}

/** Resolves when the run has ended, and its output is printed, with its last state. @throws {OperatorError} */
export function followRun(followed: FollowedRun, printing: Printing, context: OperatorContext): Promise<Run> {
  return new RunFollower(followed, printing, context).ended;
}

class RunFollower implements Producer {
  readonly ended: Promise<Run>;
  readonly #options: PrintOptions;
  readonly #pace: ReaderPace;
  readonly #isQuiet: boolean;
  readonly #context: OperatorContext;
  readonly #prefix: string;
  readonly #printer: OutputPrinter;
  readonly #follower: OutputFollower;
  readonly #link: WatchLink;
  #finish: (error: OperatorError | null) => void = () => {};
  #run: Run;
  #isDown = false;
  #isPaused = false;
  #lastTimer: NodeJS.Timeout | undefined;

  constructor(followed: FollowedRun, { options, pace }: Printing, context: OperatorContext) {
    const { run, offset, before, prefix, isQuiet } = followed;
    this.#run = run;
    this.#options = options;
    this.#pace = pace;
    this.#isQuiet = isQuiet;
    this.#context = context;
    this.#prefix = prefix;
    this.#printer = new OutputPrinter({
      write: (bytes) => void process.stdout.write(bytes),
      isSafe: isSafe(options),
      prefix,
    });
    this.#follower = new OutputFollower(run.id, offset, {
      send: (message) => this.#link.send(message),
      output: (frame) => this.#print(frame),
      gap: (from, to) => this.#printGap(from, to),
    });
    this.ended = new Promise((resolve, reject) => {
      this.#finish = (error) => {
        this.#close();
        if (error === null) resolve(this.#run);
        else reject(error);
      };
    });
    if (before.length > 0)
      this.#print({ stream: options.stream ?? 'stdout', start: offset - before.length, bytes: before });
    this.#link = openWatch(context.api, `/jobs/${encodeURIComponent(run.job)}/watch`, {
      opened: () => this.#opened(),
      message: (message) => this.#hear(message),
      output: (frame) => {
        this.#follower.frame(frame);
        this.#checkEnd();
      },
      down: (why) => this.#down(why),
      refused: ({ status, why }) => {
        const exitCode = status === 401 || status === 403 ? EXIT.notAllowed : EXIT.outOfReach;
        this.#finish(new OperatorError(why, exitCode));
      },
    });
  }

  #close(): void {
    clearTimeout(this.#lastTimer);
    this.#pace.forget(this);
    this.#link.close();
    this.#printer.end();
  }

  /** The reader of stdout is slow. */
  pause(): void {
    this.#isPaused = true;
    this.#follower.pause();
    clearTimeout(this.#lastTimer);
  }

  resume(): void {
    this.#isPaused = false;
    this.#follower.resume();
    this.#checkEnd();
  }

  #opened(): void {
    if (this.#isDown) this.#noteLink('Connected again.');
    this.#isDown = false;
    this.#follower.opened();
    // It may have ended before, and nothing says so again.
    void this.#refresh();
  }

  #down(why: string): void {
    if (!this.#isDown) this.#noteLink(`The connection is lost; trying again: ${why}`);
    this.#isDown = true;
  }

  #noteLink(text: string): void {
    if (!this.#isQuiet) this.#context.output.note(text);
  }

  async #refresh(): Promise<void> {
    const { id, job } = this.#run;
    try {
      this.#update((await getRun(this.#context.api, id, job)).value);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#context.output.note(error.message);
    }
  }

  #hear(message: WatchMessage): void {
    if (message.type === 'run') this.#update(message.run);
    else if (message.type === 'run_removed' && message.run === this.#run.id) this.#finish(null);
    else this.#follower.message(message);
    this.#checkEnd();
  }

  #update(run: Run): void {
    if (run.id !== this.#run.id || run.seq < this.#run.seq) return;
    const isNewlyLost = run.state === 'lost' && !run.final && this.#run.state !== 'lost';
    if (isNewlyLost) this.#context.output.note(`Contact with ${run.machine} is lost; waiting for it.`);
    this.#run = run;
    this.#checkEnd();
  }

  #checkEnd(): void {
    if (!this.#run.final) return;
    if (isComplete(this.#run, this.#follower.next)) {
      this.#finish(null);
      return;
    }
    clearTimeout(this.#lastTimer);
    // What doesn't arrive is waited for; what isn't read is not.
    if (this.#isPaused) return;
    this.#lastTimer = setTimeout(() => {
      this.#context.output.note('The run has ended, and the rest of its output has not arrived: its machine has it.');
      this.#finish(null);
    }, LAST_OUTPUT_MS);
  }

  #print(frame: OutputFrame): void {
    if (this.#options.stream !== null && this.#options.stream !== frame.stream) return;
    const { id: run, machine } = this.#run;
    if (!this.#options.asJson) this.#printer.frame(frame);
    else this.#context.output.jsonLine({ type: 'output', run, machine, ...jsonFrame(frame) });
    this.#pace.written(this);
  }

  #printGap(from: number, to: number): void {
    if (this.#options.asJson) this.#context.output.jsonLine({ type: 'gap', run: this.#run.id, from, to });
    else this.#context.output.note(`${this.#prefix}${gapText(`${from} to ${to}`)}`);
  }
}

/** Its bytes as text; in base64 where they aren't UTF-8, also because the end of the frame cuts a character. */
function jsonFrame({ stream, start, bytes }: OutputFrame): object {
  const frame = { stream, offset: start };
  try {
    return { ...frame, text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    // Not UTF-8.
    return { ...frame, base64: Buffer.from(bytes).toString('base64') };
  }
}

/** Prints the output of one run: its exact bytes, or text that is safe for a terminal; alone, or marked among others. */
import type { OutputFrame, StreamName } from '#protocol/output-frame';
import { SafeText } from '../screen/safe-text.ts';
import { WholeLines } from './whole-lines.ts';

export interface PrinterOptions {
  write(bytes: Uint8Array): void;
  /** Whether control sequences are made harmless. */
  readonly isSafe: boolean;
  /** What each line begins with, such as `web-1 | `; empty for a run alone. */
  readonly prefix: string;
}

/** The two streams of a run are printed as they come; a character or a line of one may be cut by the other. */
export class OutputPrinter {
  readonly #options: PrinterOptions;
  readonly #streams: Readonly<Record<StreamName, StreamPrinter>>;

  constructor(options: PrinterOptions) {
    this.#options = options;
    this.#streams = { stdout: new StreamPrinter(options), stderr: new StreamPrinter(options) };
  }

  frame({ stream, bytes }: Pick<OutputFrame, 'stream' | 'bytes'>): void {
    for (const part of this.#streams[stream].push(bytes)) this.#options.write(part);
  }

  /** Nothing follows: prints what was held back. */
  end(): void {
    for (const stream of [this.#streams.stdout, this.#streams.stderr]) {
      for (const part of stream.end()) this.#options.write(part);
    }
  }
}

class StreamPrinter {
  readonly #prefix: string;
  readonly #lines: WholeLines | null;
  readonly #text: SafeText | null;

  constructor({ prefix, isSafe }: PrinterOptions) {
    this.#prefix = prefix;
    this.#lines = prefix === '' ? null : new WholeLines();
    this.#text = isSafe ? new SafeText() : null;
  }

  push(bytes: Uint8Array): Uint8Array[] {
    const parts = this.#lines === null ? [bytes] : this.#lines.push(bytes);
    return parts.map((part) => this.#printed(part));
  }

  end(): Uint8Array[] {
    const parts = this.#lines === null ? [] : this.#lines.end().map((part) => this.#printed(part));
    const rest = this.#text?.end() ?? '';
    return rest === '' ? parts : [...parts, Buffer.from(rest)];
  }

  #printed(part: Uint8Array): Uint8Array {
    if (this.#text === null) return this.#prefix === '' ? part : Buffer.concat([Buffer.from(this.#prefix), part]);
    const text = this.#text.push(part);
    if (this.#prefix === '') return Buffer.from(text);
    return Buffer.from(text.replace(/^(?=[\s\S])/gm, this.#prefix));
  }
}

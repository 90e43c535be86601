/** Cuts output into whole lines, for output of several runs that is printed together. Bytes stay as they are. */

const NEWLINE = 0x0a;
/** A longer line is printed in parts. */
const MAX_LINE_BYTES = 64 * 1024;

export class WholeLines {
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  /** @returns the lines that are complete, each with its line break */
  push(bytes: Uint8Array): Uint8Array[] {
    const lines: Uint8Array[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      lines.push(this.#join(bytes.subarray(start, end + 1)));
      start = end + 1;
    }
    const rest = bytes.subarray(start);
    if (rest.length > 0) {
      // A copy: the caller may reuse its memory.
      this.#held.push(rest.slice());
      this.#heldBytes += rest.length;
    }
    if (this.#heldBytes >= MAX_LINE_BYTES) lines.push(...this.end());
    return lines;
  }

  /** @returns the rest as a line, with a line break added */
  end(): Uint8Array[] {
    return this.#heldBytes === 0 ? [] : [this.#join(Uint8Array.of(NEWLINE))];
  }

  #join(last: Uint8Array): Uint8Array {
    const line = this.#held.length === 0 ? last.slice() : Buffer.concat([...this.#held, last]);
    this.#held = [];
    this.#heldBytes = 0;
    return line;
  }
}

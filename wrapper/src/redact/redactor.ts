/**
 * Hides secrets in a stream of bytes, however it is cut into chunks.
 *
 * Every byte that any value or pattern covers is hidden, and each contiguous range of hidden bytes becomes one [REDACTED]. So nothing is
 * left of secrets that overlap, and it makes no difference which of them is found first.
 */

import type { ByteRange } from './byte-range.ts';
import { FixedValues } from './fixed-values.ts';
import { LineSearch } from './line-search.ts';

export const REDACTED = '[REDACTED]';
const REDACTED_BYTES = Buffer.from(REDACTED);
const NOTHING = Buffer.alloc(0);

/** What to hide; one for all streams. */
export class RedactionRules {
  readonly patterns: readonly RegExp[];
  #known: readonly Uint8Array[];
  #values: FixedValues;

  constructor(values: readonly Uint8Array[], patterns: readonly RegExp[]) {
    this.#known = values;
    this.#values = new FixedValues(values);
    this.patterns = patterns;
  }

  get values(): FixedValues {
    return this.#values;
  }

  /** Nothing is hidden for now. */
  get isEmpty(): boolean {
    return this.#values.isEmpty && this.patterns.length === 0;
  }

  /** From now on these are hidden, too. */
  addValues(values: readonly Uint8Array[]): void {
    const added = values.filter((value) => !this.#known.some((known) => Buffer.compare(known, value) === 0));
    if (added.length === 0) return;
    this.#known = [...this.#known, ...added];
    this.#values = new FixedValues(this.#known);
  }
}

/**
 * @param values of at least two bytes each, from `secretValues`
 * @param patterns from `compilePattern`
 */
export function redactionRules(values: readonly Uint8Array[], patterns: readonly RegExp[] = []): RedactionRules {
  return new RedactionRules(values, patterns);
}

/** Hides what is secret in a text as a whole. */
export function redactText(rules: RedactionRules, text: string): string {
  if (rules.isEmpty) return text;
  const parts: Buffer[] = [];
  const redactor = new Redactor(rules, (bytes) => parts.push(Buffer.from(bytes)));
  redactor.write(Buffer.from(text));
  redactor.end();
  return Buffer.concat(parts).toString();
}

/**
 * One stream's redactor.
 *
 * It holds back as little as it can: the end of what came that may grow into a secret value, and with patterns the line
 * that is not complete yet, of a very long line its last 64 KiB. What it holds it holds until more comes or the stream
 * ends, however long that takes.
 */
export class Redactor {
  readonly #rules: RedactionRules;
  readonly #emit: (bytes: Uint8Array) => void;
  readonly #lines: LineSearch | null;
  /** The last bytes, as far as they are needed again, at the start of a buffer that may be larger. */
  #buffer = NOTHING;
  #retained = 0;
  /** How much of what is retained has been emitted or hidden. */
  #emitted = 0;
  /** Values that start before this have been found. */
  #valuesFrom = 0;
  /** Whether the last byte that was emitted is a hidden one. */
  #hidden = false;
  /** Ranges to hide that are not emitted. */
  #ranges: ByteRange[] = [];

  /** @param emit is given bytes that are valid only during the call, and never none */
  constructor(rules: RedactionRules, emit: (bytes: Uint8Array) => void) {
    this.#rules = rules;
    this.#emit = emit;
    // Patterns have a state of their own.
    this.#lines = rules.patterns.length === 0 ? null : new LineSearch(rules.patterns.map((each) => new RegExp(each)));
  }

  /** What was written and has been neither emitted nor hidden; a view that is valid until the next call. */
  get held(): Uint8Array {
    return this.#buffer.subarray(this.#emitted, this.#retained);
  }

  /** @param bytes are read only during the call */
  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#rules.isEmpty) {
      this.#emit(bytes);
      return;
    }
    const data = this.#retained === 0 ? bytes : this.#append(bytes);
    const { values } = this.#rules;
    values.find(data, this.#valuesFrom, this.#ranges);
    this.#valuesFrom = values.unfinishedFrom(data, this.#valuesFrom);
    this.#lines?.find(view(data), this.#ranges);
    this.#emitUpTo(data, Math.min(this.#valuesFrom, this.#lines?.pendingFrom ?? data.length));
    this.#retain(data, Math.min(this.#emitted, this.#valuesFrom, this.#lines?.neededFrom ?? data.length));
  }

  /** The stream has ended: emits what is held. */
  end(): void {
    if (this.#retained === 0) return;
    const data = this.#buffer.subarray(0, this.#retained);
    this.#lines?.finish(data, this.#ranges);
    this.#emitUpTo(data, data.length);
    this.#retained = 0;
  }

  /** Emits what is known up to `upTo`, and hides what is hidden whatever comes next. */
  #emitUpTo(data: Uint8Array, upTo: number): void {
    if (this.#ranges.length > 0) this.#emitRedacted(data, upTo);
    else if (upTo > this.#emitted) this.#emit(this.#pass(data, upTo));
  }

  #emitRedacted(data: Uint8Array, upTo: number): void {
    const parts: Uint8Array[] = [];
    this.#ranges = union(this.#ranges);
    let done = 0;
    for (const range of this.#ranges) {
      if (range.from > Math.max(upTo, this.#emitted)) break;
      done += 1;
      if (range.from > this.#emitted) parts.push(this.#pass(data, range.from));
      if (range.to <= this.#emitted) continue;
      if (!this.#hidden) parts.push(REDACTED_BYTES);
      this.#hidden = true;
      this.#emitted = range.to;
    }
    this.#ranges.splice(0, done);
    if (upTo > this.#emitted) parts.push(this.#pass(data, upTo));
    if (parts.length > 0) this.#emit(Buffer.concat(parts));
  }

  #pass(data: Uint8Array, upTo: number): Uint8Array {
    const passed = this.#emitted === 0 && upTo === data.length ? data : data.subarray(this.#emitted, upTo);
    this.#emitted = upTo;
    this.#hidden = false;
    return passed;
  }

  /** Appends `bytes` to what is retained. */
  #append(bytes: Uint8Array): Uint8Array {
    const length = this.#retained + bytes.length;
    if (length > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(length * 2);
      this.#buffer.copy(grown, 0, 0, this.#retained);
      this.#buffer = grown;
    }
    this.#buffer.set(bytes, this.#retained);
    return this.#buffer.subarray(0, length);
  }

  /** Retains `data` from `from` on, and counts from there. */
  #retain(data: Uint8Array, from: number): void {
    this.#retained = data.length - from;
    if (this.#retained > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(this.#retained * 2);
    // May be the same memory, which `set` allows.
    if (this.#retained > 0) this.#buffer.set(data.subarray(from));
    this.#emitted -= from;
    this.#valuesFrom -= from;
    this.#lines?.shiftOrigin(from);
    if (this.#ranges.length > 0)
      this.#ranges = this.#ranges.map((range) => ({ from: range.from - from, to: range.to - from }));
  }
}

/** A line without its secrets; if redaction fails, all of it is hidden. Never throws. */
export function redactLine(rules: RedactionRules, line: string): string {
  try {
    return redactText(rules, line);
  } catch {
    // A fault in the redactor must not stop faults from being logged.
    return REDACTED;
  }
}

/** The same ranges in order, each run of overlapping or adjoining ones as one. */
function union(ranges: ByteRange[]): ByteRange[] {
  const result: ByteRange[] = [];
  let last: ByteRange | undefined;
  for (const range of ranges.sort((a, b) => a.from - b.from)) {
    if (last === undefined || range.from > last.to) {
      last = range;
      result.push(range);
    } else if (range.to > last.to) {
      last = { from: last.from, to: range.to };
      result[result.length - 1] = last;
    }
  }
  return result;
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

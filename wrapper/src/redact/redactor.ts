/**
 * Hiding secrets in a stream of bytes, however it is cut into chunks.
 *
 * Every byte that any value or pattern covers is hidden, and each run of hidden bytes becomes one mark. So nothing is
 * left of secrets that overlap, and it makes no difference which of them is found first.
 */
import { FixedValues } from './fixed-values.ts';
import { LineSearch } from './line-search.ts';
import type { Span } from './span.ts';

export const MARK = '[REDACTED]';
const MARK_BYTES = Buffer.from(MARK);
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

  /** Nothing is hidden for now: a redactor only passes on. */
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
  /** What came last and is needed again, at the start of a buffer that may be larger. */
  #buffer = NOTHING;
  #kept = 0;
  /** How much of what is kept has been passed on or hidden. */
  #settled = 0;
  /** Values that start before this have been found. */
  #valuesFrom = 0;
  /** Whether the last byte that was settled is a hidden one. */
  #hidden = false;
  /** Ranges to hide that are not settled. */
  #spans: Span[] = [];

  /** @param emit is given bytes that are valid only during the call, and never none */
  constructor(rules: RedactionRules, emit: (bytes: Uint8Array) => void) {
    this.#rules = rules;
    this.#emit = emit;
    // Patterns have a state of their own.
    this.#lines = rules.patterns.length === 0 ? null : new LineSearch(rules.patterns.map((each) => new RegExp(each)));
  }

  /** What came and has been neither passed on nor hidden; a view, good until the next call. */
  get held(): Uint8Array {
    return this.#buffer.subarray(this.#settled, this.#kept);
  }

  /** @param bytes are read only during the call */
  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#rules.isEmpty) {
      this.#emit(bytes);
      return;
    }
    const data = this.#kept === 0 ? bytes : this.#append(bytes);
    const { values } = this.#rules;
    values.find(data, this.#valuesFrom, this.#spans);
    this.#valuesFrom = values.unfinishedFrom(data, this.#valuesFrom);
    this.#lines?.find(view(data), this.#spans);
    this.#settle(data, Math.min(this.#valuesFrom, this.#lines?.pendingFrom ?? data.length));
    this.#keep(data, Math.min(this.#settled, this.#valuesFrom, this.#lines?.neededFrom ?? data.length));
  }

  /** Nothing more comes: passes on what is held. */
  end(): void {
    if (this.#kept === 0) return;
    const data = this.#buffer.subarray(0, this.#kept);
    this.#lines?.finish(data, this.#spans);
    this.#settle(data, data.length);
    this.#kept = 0;
  }

  /** Passes on what is known up to `upTo`, and hides what is hidden whatever comes next. */
  #settle(data: Uint8Array, upTo: number): void {
    if (this.#spans.length > 0) this.#settleSpans(data, upTo);
    else if (upTo > this.#settled) this.#emit(this.#pass(data, upTo));
  }

  #settleSpans(data: Uint8Array, upTo: number): void {
    const parts: Uint8Array[] = [];
    this.#spans = union(this.#spans);
    let done = 0;
    for (const span of this.#spans) {
      if (span.from > Math.max(upTo, this.#settled)) break;
      done += 1;
      if (span.from > this.#settled) parts.push(this.#pass(data, span.from));
      if (span.to <= this.#settled) continue;
      if (!this.#hidden) parts.push(MARK_BYTES);
      this.#hidden = true;
      this.#settled = span.to;
    }
    this.#spans.splice(0, done);
    if (upTo > this.#settled) parts.push(this.#pass(data, upTo));
    if (parts.length > 0) this.#emit(Buffer.concat(parts));
  }

  #pass(data: Uint8Array, upTo: number): Uint8Array {
    const passed = this.#settled === 0 && upTo === data.length ? data : data.subarray(this.#settled, upTo);
    this.#settled = upTo;
    this.#hidden = false;
    return passed;
  }

  /** Puts `bytes` after what is kept. */
  #append(bytes: Uint8Array): Uint8Array {
    const length = this.#kept + bytes.length;
    if (length > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(length * 2);
      this.#buffer.copy(grown, 0, 0, this.#kept);
      this.#buffer = grown;
    }
    this.#buffer.set(bytes, this.#kept);
    return this.#buffer.subarray(0, length);
  }

  /** Keeps `data` from `from` on, and counts from there. */
  #keep(data: Uint8Array, from: number): void {
    this.#kept = data.length - from;
    if (this.#kept > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(this.#kept * 2);
    // May be the same memory, which `set` allows.
    if (this.#kept > 0) this.#buffer.set(data.subarray(from));
    this.#settled -= from;
    this.#valuesFrom -= from;
    this.#lines?.forget(from);
    if (this.#spans.length > 0)
      this.#spans = this.#spans.map((span) => ({ from: span.from - from, to: span.to - from }));
  }
}

/** A line without its secrets; all of it is hidden when they can't be told from the rest. Never throws. */
export function redactLine(rules: RedactionRules, line: string): string {
  try {
    return redactText(rules, line);
  } catch {
    // A fault in the redactor, which must not stop the telling of faults.
    return MARK;
  }
}

/** The same ranges in order, each run of overlapping or adjoining ones as one. */
function union(spans: Span[]): Span[] {
  const result: Span[] = [];
  let last: Span | undefined;
  for (const span of spans.sort((a, b) => a.from - b.from)) {
    if (last === undefined || span.from > last.to) {
      last = span;
      result.push(span);
    } else if (span.to > last.to) {
      last = { from: last.from, to: span.to };
      result[result.length - 1] = last;
    }
  }
  return result;
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

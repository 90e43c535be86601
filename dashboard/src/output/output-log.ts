/**
 * A window on a run's output: bytes in, lines out.
 *
 * Frames may overlap what is already there and may split a character or an escape sequence; each stream has a decoder of
 * its own, since the other stream may come in between. Only so many lines are kept, the last ones.
 */
import type { OutputFrame, StreamName } from '#protocol/output-frame';
import { type Line, TextLine } from './line.ts';
import { TerminalText } from './terminal-text.ts';

export interface LogBounds {
  readonly lines: number;
  readonly characters: number;
}

/** A line without an end is broken here. */
const LONGEST_LINE = 8192;
const NEWLINE = 0x0a;
/** How far into a window its first whole line may begin. */
const LONGEST_CUT_LINE = 4096;

interface Reader {
  decoder: TextDecoder;
  terminal: TerminalText;
}

export class OutputLog {
  /** Where the window was opened. */
  readonly start: number;
  #bounds: LogBounds;
  #readers: Record<StreamName, Reader>;
  #lines: Line[] = [];
  #characters = 0;
  #nextNumber = 0;
  #next: number;
  #changedFrom = 0;
  /** Whether what comes next may begin in the middle of something. */
  #cutOff: 'line' | 'character' | null;

  constructor(start: number, bounds: LogBounds) {
    this.start = start;
    this.#next = start;
    this.#bounds = bounds;
    this.#readers = freshReaders();
    this.#cutOff = start > 0 ? 'line' : null;
  }

  get lines(): readonly Line[] {
    return this.#lines;
  }

  /** The offset of the first byte that has not come yet. */
  get next(): number {
    return this.#next;
  }

  /** The offset of the first byte that is shown. */
  get shownFrom(): number {
    return this.#lines[0]?.offset ?? this.#next;
  }

  setBounds(bounds: LogBounds): void {
    this.#bounds = bounds;
    this.#trim();
  }

  /** Takes a frame. Says 'hole' when bytes before it are missing: then it was not taken, and has to be asked for. */
  push(frame: OutputFrame): 'taken' | 'known' | 'hole' {
    const end = frame.start + frame.bytes.length;
    if (end <= this.#next) return 'known';
    if (frame.start > this.#next) return 'hole';
    this.#write(frame.stream, frame.bytes.subarray(this.#next - frame.start));
    this.#trim();
    return 'taken';
  }

  /** Notes that the bytes up to `to` are missing for ever. */
  gap(to: number): void {
    if (to <= this.#next) return;
    const missing = to - this.#next;
    const last = this.#lines.at(-1);
    if (last?.kind === 'text' && last.length === 0) this.#lines.pop();
    this.#add({ kind: 'gap', number: this.#nextNumber, offset: this.#next, missing });
    this.#next = to;
    // What was left of a character before the gap has nothing to do with what comes after it.
    this.#readers = freshReaders();
    this.#cutOff = 'character';
    this.#trim();
  }

  /** The number of the first line that has changed since this was last asked. */
  takeChanges(): number {
    const from = this.#changedFrom;
    this.#changedFrom = this.#nextNumber;
    return from;
  }

  #write(stream: StreamName, bytes: Uint8Array): void {
    let from = this.#skipCutOff(bytes);
    this.#next += from;
    // Line by line, so that each line knows its offset.
    while (from < bytes.length) {
      const newline = bytes.indexOf(NEWLINE, from);
      const to = newline === -1 ? bytes.length : newline + 1;
      this.#writePart(stream, bytes.subarray(from, to));
      this.#next += to - from;
      from = to;
    }
  }

  /**
   * A window that opens in the middle of a line begins with the next one: half a line may be half an escape sequence.
   * After a gap what is left of a line is shown, but not what is left of a character.
   */
  #skipCutOff(bytes: Uint8Array): number {
    if (this.#cutOff === null) return 0;
    const newline = this.#cutOff === 'line' ? bytes.subarray(0, LONGEST_CUT_LINE).indexOf(NEWLINE) : -1;
    let skipped = newline + 1;
    if (newline === -1) while (skipped < bytes.length && isContinuation(bytes[skipped])) skipped += 1;
    this.#cutOff = skipped === bytes.length && newline === -1 ? 'character' : null;
    return skipped;
  }

  #writePart(stream: StreamName, bytes: Uint8Array): void {
    const reader = this.#readers[stream];
    const text = reader.decoder.decode(bytes, { stream: true });
    for (const token of reader.terminal.read(text)) {
      const line = this.#currentLine();
      const before = line.length;
      switch (token.kind) {
        case 'text':
          this.#writeText(line, token.text, token.style, stream);
          continue;
        case 'newline':
          this.#add(new TextLine(this.#nextNumber, this.#next + bytes.length));
          break;
        case 'return':
          line.toStart();
          break;
        case 'backspace':
          line.back();
          break;
        case 'erase':
          line.erase(token.part, stream);
          break;
      }
      this.#characters += line.length - before;
    }
  }

  #writeText(line: TextLine, text: string, style: string, stream: StreamName): void {
    let current = line;
    for (let at = 0; at < text.length; at += LONGEST_LINE) {
      if (current.length >= LONGEST_LINE) {
        current = new TextLine(this.#nextNumber, this.#next);
        this.#add(current);
      }
      const before = current.length;
      current.write({ text: text.slice(at, at + LONGEST_LINE), style, stream });
      this.#characters += current.length - before;
      this.#changedFrom = Math.min(this.#changedFrom, current.number);
    }
  }

  #currentLine(): TextLine {
    const last = this.#lines.at(-1);
    if (last?.kind === 'text') {
      this.#changedFrom = Math.min(this.#changedFrom, last.number);
      return last;
    }
    const line = new TextLine(this.#nextNumber, this.#next);
    this.#add(line);
    return line;
  }

  #add(line: Line): void {
    this.#lines.push(line);
    this.#nextNumber += 1;
    this.#changedFrom = Math.min(this.#changedFrom, line.number);
  }

  #trim(): void {
    let drop = Math.max(0, this.#lines.length - this.#bounds.lines);
    let characters = this.#characters;
    for (let i = 0; i < this.#lines.length - 1; i += 1) {
      if (i >= drop && characters <= this.#bounds.characters) break;
      const line = this.#lines[i];
      if (line?.kind === 'text') characters -= line.length;
      drop = Math.max(drop, i + 1);
    }
    if (drop === 0) return;
    this.#lines.splice(0, drop);
    this.#characters = characters;
  }
}

function freshReaders(): Record<StreamName, Reader> {
  const reader = (): Reader => ({ decoder: new TextDecoder(), terminal: new TerminalText() });
  return { stdout: reader(), stderr: reader() };
}

/** Whether a byte is a character's second, third or fourth. */
function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/**
 * A run's two streams as text for one terminal.
 *
 * Each stream has its own decoder, colours and open sequences, because the other may interrupt it at any byte. Two
 * attributes that `sgr.ts` removes from output mark cells for the dashboard, through every wrap, overwrite and scroll of
 * the terminal: blink (which xterm.js does not draw) marks a cell from stderr, overline a line of the dashboard's own.
 */

import type { StreamName } from '#protocol/output-frame';
import { formatBytes } from '#shared/format-bytes';
import type { OutputPart } from './output-window.ts';
import { sgrCodes } from './sgr.ts';
import { type Look, PLAIN_LOOK, TerminalText, type TerminalToken } from './terminal-text.ts';

export type StreamChoice = 'both' | StreamName;

const NEWLINE = 0x0a;
/** How far into a window its first whole line may begin. */
const LONGEST_CUT_LINE = 4096;
const TAB_CELLS = 8;
const MAY_BE_WIDE = /[\u1100-\uffff]/;
const STDERR_CODE = ';5';
const OURS_CODE = ';53';
/**
 * Marks a row and leaves nothing to copy or find: a wide character whose second half is overwritten leaves an empty cell
 * with the current attributes, and the character that overwrote it is erased.
 */
const MARK_ALONE = '\u3000\b \b\x1b[K';
/** No screen has more. */
const SCREEN_ROWS = 1_000;

interface Reader {
  readonly decoder: TextDecoder;
  readonly terminal: TerminalText;
}

export class OutputText {
  readonly #choice: StreamChoice;
  #readers = freshReaders();
  /** What the next bytes may begin in the middle of. */
  #cutOff: 'line' | 'character' | null;
  #codes = '';
  #link = '';
  #isAtLineStart = true;
  /** At most this many rows further down the cursor may have been. */
  #rowsBelow = 0;
  #width = 0;
  #widest = 0;
  #skipped = 0;

  /** @param isCut whether the first byte may be in the middle of a line */
  constructor(choice: StreamChoice, isCut: boolean) {
    this.#choice = choice;
    this.#cutOff = isCut ? 'line' : null;
  }

  /** An upper bound of the widest line's cells: each character that may be wide counts as wide. */
  get widest(): number {
    return this.#widest;
  }

  /** How many bytes at the beginning were left out as the rest of a line. */
  get skipped(): number {
    return this.#skipped;
  }

  /** The next part of the output, as text to write. */
  read(part: OutputPart): string {
    if (part.kind === 'gap') return this.#gap(part.end - part.begin);
    const bytes = part.bytes.subarray(this.#skipCutOff(part.bytes));
    if (this.#choice !== 'both' && this.#choice !== part.stream) return '';
    const reader = this.#readers[part.stream];
    let text = '';
    for (const token of reader.terminal.read(reader.decoder.decode(bytes, { stream: true }))) {
      text += this.#tokenText(token, part.stream);
    }
    return text;
  }

  #tokenText(token: TerminalToken, stream: StreamName): string {
    if (token.kind !== 'control') {
      this.#isAtLineStart = false;
      if (token.kind === 'text') this.#measure(token.text);
      else this.#rowsBelow += rowsUp(token.text);
      return this.#lookText(token.look, stream === 'stderr' ? STDERR_CODE : '') + token.text;
    }
    if (token.text !== '\b') this.#width = 0;
    return token.text === '\n' ? this.#newline(stream) : token.text;
  }

  /** An empty line has no cell that could carry the mark. */
  #newline(stream: StreamName): string {
    const isMarked = stream === 'stderr' && this.#isAtLineStart && this.#rowsBelow === 0;
    this.#isAtLineStart = true;
    this.#rowsBelow = Math.max(0, this.#rowsBelow - 1);
    return isMarked ? `${this.#lookText(PLAIN_LOOK, STDERR_CODE)}${MARK_ALONE}\n` : '\n';
  }

  #measure(text: string): void {
    const tabs = text.split('\t').length - 1;
    this.#width += (MAY_BE_WIDE.test(text) ? 2 : 1) * text.length + tabs * TAB_CELLS;
    this.#widest = Math.max(this.#widest, this.#width);
  }

  /** The sequences that change the terminal's state to this look. */
  #lookText(look: Look, mark: string): string {
    let text = '';
    const codes = sgrCodes(look.style) + mark;
    if (codes !== this.#codes) text += `\x1b[${codes}m`;
    if (look.link !== this.#link) text += `\x1b]8;;${look.link}\x1b\\`;
    this.#codes = codes;
    this.#link = look.link;
    return text;
  }

  #gap(missing: number): string {
    // The start of a character before the gap must not be joined with what follows the gap.
    this.#readers = freshReaders();
    this.#cutOff = 'character';
    const begin = this.#isAtLineStart ? '' : '\n';
    const words = `${this.#lookText(PLAIN_LOOK, OURS_CODE)}… ${formatBytes(missing)} ${missing === 1 ? 'is' : 'are'} missing here …`;
    this.#isAtLineStart = true;
    return `${begin}${words}${this.#lookText(PLAIN_LOOK, '')}\n`;
  }

  /**
   * A window that opens in the middle of a line begins with the next line: half a line may be half an escape sequence.
   * After a gap the rest of a line is shown, but not the rest of a character.
   */
  #skipCutOff(bytes: Uint8Array): number {
    if (this.#cutOff === null) return 0;
    const newline = this.#cutOff === 'line' ? bytes.subarray(0, LONGEST_CUT_LINE).indexOf(NEWLINE) : -1;
    let skipped = newline + 1;
    this.#skipped += newline + 1;
    if (newline === -1) while (skipped < bytes.length && isContinuation(bytes[skipped])) skipped += 1;
    this.#cutOff = skipped === bytes.length && newline === -1 ? 'character' : null;
    return skipped;
  }
}

/** How many rows up a sequence may move the cursor. */
function rowsUp(sequence: string): number {
  const final = sequence.at(-1) ?? '';
  if ('AF'.includes(final)) return Number.parseInt(sequence.slice(2), 10) || 1;
  return 'Hfd'.includes(final) ? SCREEN_ROWS : 0;
}

function freshReaders(): Record<StreamName, Reader> {
  const reader = (): Reader => ({ decoder: new TextDecoder(), terminal: new TerminalText() });
  return { stdout: reader(), stderr: reader() };
}

/** Whether a byte is the second, third or fourth of a UTF-8 character. */
function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/**
 * One stream as tokens for a terminal: text, and the controls that output may contain. All others are left out: an
 * unknown sequence doesn't reach the dashboard's terminal.
 */
import { applySgr, PLAIN, type Style } from './sgr.ts';

export type TerminalToken =
  | { readonly kind: 'text'; readonly text: string; readonly look: Look }
  /** Ends the line, or moves within it. */
  | { readonly kind: 'control'; readonly text: '\n' | '\r' | '\b' }
  /** Moves the cursor over the screen, or erases some of it. */
  | { readonly kind: 'sequence'; readonly text: string; readonly look: Look };

export interface Look {
  readonly style: Style;
  /** The link's address; '' for none. */
  readonly link: string;
}

export const PLAIN_LOOK: Look = { style: PLAIN, link: '' };

const BELL = 0x07;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const ESCAPE = 0x1b;
const STRING_TERMINATOR = 0x9c;
const LAST_CONTROL = 0x9f;

/** A longer sequence is binary data. */
const LONGEST_SEQUENCE = 4096;
/** Anything but text: controls, and the characters that would reorder the text around them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it matches control characters
const NOT_TEXT = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;
/**
 * Cursor movements, and what erases or moves characters within a line. Excluded: inserting and deleting lines,
 * scrolling, and modes (alternate screen, mouse, reports).
 */
const ALLOWED_FINALS = 'ABCDEFGHJKXPfd@`';
/** Output may erase the whole screen or what follows the cursor, not what is before it or in the scrollback. */
const ALLOWED_ERASURES = ['', '0', '2'];

type Inside =
  | { readonly kind: 'text' }
  | { readonly kind: 'escape' }
  /** `ESC [` parameters, up to a letter. */
  | { readonly kind: 'control'; parameters: string }
  /** `ESC ]` and similar: a title or a link, up to a bell or `ESC \`. */
  | { readonly kind: 'string'; readonly isOsc: boolean; content: string }
  /** `ESC (` and similar: one more character. */
  | { readonly kind: 'one_more' };

const TEXT: Inside = { kind: 'text' };

/** One stream's reader. A sequence may be split over any number of calls. */
export class TerminalText {
  #inside: Inside = TEXT;
  #look = PLAIN_LOOK;

  read(text: string): TerminalToken[] {
    const tokens: TerminalToken[] = [];
    let at = 0;
    while (at < text.length) {
      if (this.#inside.kind === 'text') {
        NOT_TEXT.lastIndex = at;
        const found = NOT_TEXT.exec(text)?.index ?? text.length;
        if (found > at) tokens.push({ kind: 'text', text: text.slice(at, found), look: this.#look });
        if (found === text.length) break;
        at = found;
      }
      const token = this.#next(text.charCodeAt(at), text.charAt(at));
      if (token !== null) tokens.push(token);
      at += 1;
    }
    return tokens;
  }

  #next(code: number, character: string): TerminalToken | null {
    const inside = this.#inside;
    // A newline ends an open sequence: one broken sequence must not swallow the output.
    if (code === NEWLINE || code === RETURN) {
      this.#inside = TEXT;
      return { kind: 'control', text: code === NEWLINE ? '\n' : '\r' };
    }
    switch (inside.kind) {
      case 'text':
        return this.#special(code, character);
      case 'escape':
        this.#inside = afterEscape(character);
        return null;
      case 'control':
        return this.#continueControl(inside, code, character);
      case 'string':
        this.#continueString(inside, code, character);
        return null;
      case 'one_more':
        this.#inside = TEXT;
        return null;
    }
  }

  #special(code: number, character: string): TerminalToken | null {
    if (code === ESCAPE) this.#inside = { kind: 'escape' };
    if (character === '\b') return { kind: 'control', text: '\b' };
    // A reordering character is shown as U+FFFD, so that it can't affect the text around it.
    if (code > LAST_CONTROL) return { kind: 'text', text: '\ufffd', look: this.#look };
    return null;
  }

  #continueControl(inside: { parameters: string }, code: number, character: string): TerminalToken | null {
    if (code < 0x40 && inside.parameters.length < LONGEST_SEQUENCE) {
      inside.parameters += character;
      return null;
    }
    this.#inside = TEXT;
    const { parameters } = inside;
    if (!/^[\d;:]*$/.test(parameters)) return null;
    if (character === 'm') {
      this.#look = { ...this.#look, style: applySgr(this.#look.style, parameters) };
      return null;
    }
    if (!ALLOWED_FINALS.includes(character)) return null;
    if (character === 'J' && !ALLOWED_ERASURES.includes(parameters)) return null;
    return { kind: 'sequence', text: `\x1b[${parameters}${character}`, look: this.#look };
  }

  #continueString(inside: { readonly isOsc: boolean; content: string }, code: number, character: string): void {
    const isEnd = code === BELL || code === ESCAPE || code === STRING_TERMINATOR;
    if (!isEnd && inside.content.length < LONGEST_SEQUENCE) {
      inside.content += character;
      return;
    }
    this.#inside = code === ESCAPE ? { kind: 'escape' } : TEXT;
    const link = isEnd && inside.isOsc ? readLink(inside.content) : null;
    if (link !== null) this.#look = { ...this.#look, link };
  }
}

function afterEscape(character: string): Inside {
  if (character === '[') return { kind: 'control', parameters: '' };
  if (']PX^_'.includes(character)) return { kind: 'string', isOsc: character === ']', content: '' };
  if ('()*+-./#% '.includes(character)) return { kind: 'one_more' };
  return TEXT;
}

/** `8;parameters;address` begins a link; without an address it ends one. Null for another sequence. */
function readLink(osc: string): string | null {
  const address = /^8;[^;]*;(.*)$/s.exec(osc)?.[1];
  return address === undefined ? null : webAddress(address);
}

/** The address in its canonical form, without controls, or '' if it isn't a web address. */
export function webAddress(text: string): string {
  if (!URL.canParse(text)) return '';
  const { protocol, href } = new URL(text);
  return protocol === 'https:' || protocol === 'http:' ? href : '';
}

/**
 * What one stream says to a terminal: text, and those of its controls that a log may have. All others are left out: what
 * is not known here does not reach the terminal of the page.
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
  /** Where the text leads to; '' for nowhere. */
  readonly link: string;
}

export const PLAIN_LOOK: Look = { style: PLAIN, link: '' };

const BELL = 0x07;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const ESCAPE = 0x1b;
const STRING_TERMINATOR = 0x9c;
const LAST_CONTROL = 0x9f;

/** A sequence that goes on for longer than this is none, but binary data. */
const LONGEST_SEQUENCE = 4096;
/** Anything but text: controls, and the characters that would reorder what stands around them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what is looked for
const NOT_TEXT = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;
/**
 * Cursor movements, and what erases or moves characters within a line. Not among them: whole lines that are put in or
 * taken out, scrolling, and modes (another screen, the mouse, reports).
 */
const ALLOWED_FINALS = 'ABCDEFGHJKXPfd@`';
/** The whole screen and what follows the cursor may be erased; not what is before it, nor what has scrolled away. */
const ALLOWED_ERASURES = ['', '0', '2'];

type Inside =
  | { readonly kind: 'text' }
  | { readonly kind: 'escape' }
  /** `ESC [` parameters, up to a letter. */
  | { readonly kind: 'control'; parameters: string }
  /** `ESC ]` and its like: a title or a link, up to a bell or `ESC \`. */
  | { readonly kind: 'string'; readonly isOsc: boolean; content: string }
  /** `ESC (` and its like: one more character. */
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
    // A line's end ends whatever was left open: one broken sequence must not swallow the log.
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
    // That there was something is shown; what it would have done to its neighbours is not done.
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

/** `8;parameters;address` begins a link, and one without an address ends it. Null when it is another sequence. */
function readLink(osc: string): string | null {
  const address = /^8;[^;]*;(.*)$/s.exec(osc)?.[1];
  return address === undefined ? null : webAddress(address);
}

/** The address in the one form that has no controls in it, or '' when it does not lead to a web page. */
export function webAddress(text: string): string {
  if (!URL.canParse(text)) return '';
  const { protocol, href } = new URL(text);
  return protocol === 'https:' || protocol === 'http:' ? href : '';
}

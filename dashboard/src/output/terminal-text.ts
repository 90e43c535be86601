/** Reads text as a terminal would, as far as a page can follow: colours, returns, backspaces, erased lines. */
import { applySgr, PLAIN, type Style, styleClasses } from './sgr.ts';

export type TerminalToken =
  | { readonly kind: 'text'; readonly text: string; readonly style: string }
  | { readonly kind: 'newline' }
  /** Back to the start of the line; what follows overwrites. */
  | { readonly kind: 'return' }
  | { readonly kind: 'backspace' }
  /** Erase the line: from the cursor on, up to it, or all of it. */
  | { readonly kind: 'erase'; readonly part: 'after' | 'before' | 'all' };

const BELL = 0x07;
const BACKSPACE = 0x08;
const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const ESCAPE = 0x1b;
const DELETE = 0x7f;

/** A sequence that goes on for longer than this is none, but binary data. */
const LONGEST_SEQUENCE = 4096;

type Inside =
  | { readonly kind: 'text' }
  | { readonly kind: 'escape' }
  /** `ESC [` parameters, up to a letter. */
  | { readonly kind: 'control'; parameters: string }
  /** `ESC ]` and its like: a title or a link, up to a bell or `ESC \`. */
  | { readonly kind: 'string'; length: number }
  /** `ESC (` and its like: one more character. */
  | { readonly kind: 'one_more' };

const TEXT: Inside = { kind: 'text' };

/** One stream's reader. A sequence may be split over any number of calls. */
export class TerminalText {
  #inside: Inside = TEXT;
  #style: Style = PLAIN;
  #classes = '';

  read(text: string): TerminalToken[] {
    const tokens: TerminalToken[] = [];
    let plainFrom = this.#inside.kind === 'text' ? 0 : -1;
    const endPlain = (at: number) => {
      if (plainFrom !== -1 && at > plainFrom) {
        tokens.push({ kind: 'text', text: text.slice(plainFrom, at), style: this.#classes });
      }
    };
    for (let i = 0; i < text.length; i += 1) {
      const code = text.charCodeAt(i);
      if (this.#inside.kind === 'text') {
        if (code >= 0x20 ? code !== DELETE : code === TAB) continue;
        endPlain(i);
        const token = controlToken(code);
        if (token !== null) tokens.push(token);
        if (code === ESCAPE) this.#inside = { kind: 'escape' };
      } else {
        const token = this.#continue(code, text.charAt(i));
        if (token !== null) tokens.push(token);
      }
      plainFrom = this.#inside.kind === 'text' ? i + 1 : -1;
    }
    endPlain(text.length);
    return tokens;
  }

  #continue(code: number, character: string): TerminalToken | null {
    const inside = this.#inside;
    // A line's end ends whatever was left open: one broken sequence must not swallow the log.
    if (code === NEWLINE || code === RETURN) {
      this.#inside = TEXT;
      return controlToken(code);
    }
    switch (inside.kind) {
      case 'escape':
        this.#inside = afterEscape(character);
        return null;
      case 'control':
        return this.#continueControl(inside, code, character);
      case 'string':
        inside.length += 1;
        if (code === BELL || inside.length > LONGEST_SEQUENCE) this.#inside = TEXT;
        else if (code === ESCAPE) this.#inside = { kind: 'escape' };
        return null;
      case 'one_more':
      case 'text':
        this.#inside = TEXT;
        return null;
    }
  }

  #continueControl(inside: { parameters: string }, code: number, character: string): TerminalToken | null {
    if (code < 0x40 && inside.parameters.length < LONGEST_SEQUENCE) {
      inside.parameters += character;
      return null;
    }
    this.#inside = TEXT;
    if (character === 'm' && /^[\d;:]*$/.test(inside.parameters)) {
      this.#style = applySgr(this.#style, inside.parameters);
      this.#classes = styleClasses(this.#style);
      return null;
    }
    if (character === 'K') return { kind: 'erase', part: erasedPart(inside.parameters) };
    // Column 1 is where a progress display begins its line again. Other movements have no meaning in a log.
    if (character === 'G' && (inside.parameters === '' || inside.parameters === '1')) return { kind: 'return' };
    return null;
  }
}

function controlToken(code: number): TerminalToken | null {
  switch (code) {
    case NEWLINE:
      return { kind: 'newline' };
    case RETURN:
      return { kind: 'return' };
    case BACKSPACE:
      return { kind: 'backspace' };
    default:
      return null;
  }
}

function afterEscape(character: string): Inside {
  if (character === '[') return { kind: 'control', parameters: '' };
  if (']PX^_'.includes(character)) return { kind: 'string', length: 0 };
  if ('()*+-./#% '.includes(character)) return { kind: 'one_more' };
  return TEXT;
}

function erasedPart(parameters: string): 'after' | 'before' | 'all' {
  if (parameters === '2') return 'all';
  return parameters === '1' ? 'before' : 'after';
}

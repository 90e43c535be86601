/**
 * The user's patterns: regular expressions that are matched against bytes.
 *
 * Output need not be UTF-8, and must come through untouched where nothing is hidden. So it is matched as if each byte
 * were a character (latin1), and what a pattern says about characters beyond ASCII is put in terms of their UTF-8 bytes.
 */
import { boundBacktracking } from '../engine.ts';

export type Compiled =
  | { readonly kind: 'compiled'; readonly pattern: RegExp }
  /** What is wrong with it, for the person who wrote it. */
  | { readonly kind: 'invalid'; readonly why: string };

/**
 * Makes a pattern in JavaScript's syntax ready for latin1 text. `^` and `$` are the ends of a line, `.` is one byte.
 * Never throws.
 */
export function compilePattern(source: string): Compiled {
  const invalid = (why: string): Compiled => ({ kind: 'invalid', why: `the pattern ${source} can't be used: ${why}` });
  if (source === '') return invalid('it is empty');
  try {
    // As it was written, so that an error speaks of that.
    new RegExp(source);
    const bytes = inBytes(source);
    // It is matched where kills, limits and the command's output are waiting.
    boundBacktracking();
    return bytes.kind === 'invalid' ? invalid(bytes.why) : { kind: 'compiled', pattern: new RegExp(bytes.source, 'g') };
  } catch (error) {
    // Always a SyntaxError: "Invalid regular expression: /(/: Unterminated group".
    return invalid(error instanceof Error ? error.message.replace(/^.*\/\w*: /s, '') : String(error));
  }
}

type InBytes = { readonly kind: 'source'; readonly source: string } | Extract<Compiled, { kind: 'invalid' }>;

/** An escape that matters here, an escape that does not, or a single character. */
const UNIT = /\\u\{([0-9a-f]+)\}|\\u([0-9a-f]{4})|\\([pP])\{|\\.|./gisu;

/** `\s` and `\S` of ASCII: in latin1 a no-break space counts as white space, and its byte is half of an `à`. */
const SPACE = '\\t-\\r\\x20';
const NO_SPACE = '\\x00-\\x08\\x0e-\\x1f\\x21-\\xff';

function inBytes(source: string): InBytes {
  let result = '';
  let inClass = false;
  for (const [unit, braced, plain, property] of source.matchAll(UNIT)) {
    if (property !== undefined)
      return { kind: 'invalid', why: `\\${property}{…} knows characters, and it matches bytes` };
    const hex = braced ?? plain;
    const codePoint =
      hex === undefined
        ? (unit.codePointAt(unit.length > 1 && unit.startsWith('\\') ? 1 : 0) ?? 0)
        : Number.parseInt(hex, 16);
    if (codePoint > 0x10ffff) return { kind: 'invalid', why: `${unit} is no character` };
    if (unit === '[' && !inClass) inClass = true;
    else if (unit === ']') inClass = false;
    if (codePoint >= 0x80 && inClass) {
      return { kind: 'invalid', why: `${unit} can't stand in […], which matches one byte: write (?:a|b)` };
    }
    if (codePoint >= 0x80) result += `(?:${utf8Escapes(codePoint)})`;
    else if (hex !== undefined) result += hexEscape(codePoint);
    else if (unit === '\\s') result += inClass ? SPACE : `[${SPACE}]`;
    else if (unit === '\\S') result += inClass ? NO_SPACE : `[${NO_SPACE}]`;
    else result += unit;
  }
  return { kind: 'source', source: result };
}

function utf8Escapes(codePoint: number): string {
  return [...Buffer.from(String.fromCodePoint(codePoint))].map(hexEscape).join('');
}

function hexEscape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

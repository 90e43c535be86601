/**
 * The user's patterns: regular expressions that are matched against bytes.
 *
 * Output need not be UTF-8, and must come through untouched where nothing is hidden. So it is matched as if each byte
 * were a character (latin1), and characters beyond ASCII in a pattern are replaced by their UTF-8 bytes.
 */
import { boundBacktracking } from '../host/v8-flags.ts';

export type Compiled =
  | { readonly kind: 'compiled'; readonly pattern: RegExp }
  /** The error, for the person who wrote the pattern. */
  | { readonly kind: 'invalid'; readonly why: string };

/**
 * Makes a pattern in JavaScript's syntax ready for latin1 text. `^` and `$` are the ends of a line, `.` is one byte.
 * Never throws.
 */
export function compilePattern(source: string): Compiled {
  const invalid = (why: string): Compiled => ({ kind: 'invalid', why: `invalid pattern ${source}: ${why}` });
  if (source === '') return invalid('it is empty');
  try {
    // As it was written, so that an error speaks of that.
    new RegExp(source);
    const bytes = inBytes(source);
    return bytes.kind === 'invalid' ? invalid(bytes.why) : { kind: 'compiled', pattern: patternOf(bytes.source) };
  } catch (error) {
    // Always a SyntaxError: "Invalid regular expression: /(/: Unterminated group".
    return invalid(error instanceof Error ? error.message.replace(/^.*\/\w*: /s, '') : String(error));
  }
}

/** A compiled pattern by its source, in which characters are bytes already. Throws where it is none. */
export function patternOf(source: string): RegExp {
  // It is matched where kills, limits and the command's output are waiting.
  boundBacktracking();
  return new RegExp(source, 'g');
}

type Invalid = Extract<Compiled, { kind: 'invalid' }>;
type InBytes = { readonly kind: 'source'; readonly source: string } | Invalid;

/** One character of a pattern, or one escape. */
interface Unit {
  readonly kind: 'unit';
  readonly text: string;
  readonly codePoint: number;
  /** Whether it was written by its number. */
  readonly isNumeric: boolean;
}

/** An escape that matters here, an escape that does not, or a single character. */
const UNIT = /\\u\{([0-9a-f]+)\}|\\u([0-9a-f]{4})|\\([pP])\{|\\.|./gisu;

/** `\s` and `\S` of ASCII: in latin1 a no-break space counts as white space, and its byte is half of an `à`. */
const SPACE = '\\t-\\r\\x20';
const NO_SPACE = '\\x00-\\x08\\x0e-\\x1f\\x21-\\xff';

function inBytes(source: string): InBytes {
  let result = '';
  let inClass = false;
  for (const match of source.matchAll(UNIT)) {
    const unit = readUnit(match);
    if (unit.kind === 'invalid') return unit;
    if (unit.text === '[') inClass = true;
    else if (unit.text === ']') inClass = false;
    const bytes = unitInBytes(unit, inClass);
    if (bytes.kind === 'invalid') return bytes;
    result += bytes.source;
  }
  return { kind: 'source', source: result };
}

function readUnit([text, braced, plain, property]: RegExpExecArray): Unit | Invalid {
  if (property !== undefined)
    return { kind: 'invalid', why: `\\${property}{…} matches characters, but patterns match bytes` };
  const hex = braced ?? plain;
  const codePoint = hex === undefined ? characterOf(text) : Number.parseInt(hex, 16);
  if (codePoint > 0x10ffff) return { kind: 'invalid', why: `${text} is not a character` };
  return { kind: 'unit', text, codePoint, isNumeric: hex !== undefined };
}

/** The code point of the character itself, or of the one behind a backslash. */
function characterOf(text: string): number {
  return text.codePointAt(text.length > 1 && text.startsWith('\\') ? 1 : 0) ?? 0;
}

function unitInBytes({ text, codePoint, isNumeric }: Unit, inClass: boolean): InBytes {
  if (codePoint >= 0x80 && inClass) {
    return { kind: 'invalid', why: `${text} is not allowed in […], which matches one byte: write (?:a|b)` };
  }
  if (codePoint >= 0x80) return { kind: 'source', source: `(?:${utf8Escapes(codePoint)})` };
  if (isNumeric) return { kind: 'source', source: hexEscape(codePoint) };
  return { kind: 'source', source: asciiOnly(text, inClass) };
}

/** White space of ASCII alone; all else as it is. */
function asciiOnly(text: string, inClass: boolean): string {
  if (text === '\\s') return inClass ? SPACE : `[${SPACE}]`;
  if (text === '\\S') return inClass ? NO_SPACE : `[${NO_SPACE}]`;
  return text;
}

function utf8Escapes(codePoint: number): string {
  return [...Buffer.from(String.fromCodePoint(codePoint))].map(hexEscape).join('');
}

function hexEscape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

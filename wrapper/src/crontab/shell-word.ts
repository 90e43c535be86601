/** One word of a shell's command line, with its quotes and expansions. */

export interface Word {
  readonly start: number;
  readonly end: number;
  /** Without quotes; expansions as they are written. */
  readonly value: string;
  /** Nothing in it is quoted or expanded. */
  readonly isLiteral: boolean;
  /** It has no command substitution, and no expansion but that of a variable. */
  readonly isPlain: boolean;
}

export interface Unbalanced {
  readonly kind: 'unbalanced';
  /** What has no end. */
  readonly what: string;
}

/** What a word is made of, one after the other. */
interface Piece {
  readonly kind: 'piece';
  readonly length: number;
  readonly value: string;
  readonly isLiteral: boolean;
  readonly isPlain: boolean;
}

/** @returns a word of length 0 where none begins */
export function readWord(text: string, start: number): Word | Unbalanced {
  const pieces: Piece[] = [];
  let end = start;
  while (end < text.length && !/[ \t|&;<>()]/.test(text.charAt(end))) {
    const piece = readPiece(text, end);
    if (piece.kind === 'unbalanced') return piece;
    pieces.push(piece);
    end += piece.length;
  }
  const value = pieces.map((piece) => piece.value).join('');
  const isLiteral = pieces.every((piece) => piece.isLiteral);
  return { start, end, value, isLiteral, isPlain: pieces.every((piece) => piece.isPlain) };
}

function readPiece(text: string, at: number): Piece | Unbalanced {
  switch (text[at]) {
    case "'":
      return readSingleQuotes(text, at);
    case '"':
      return readDoubleQuotes(text, at);
    case '$':
    case '`':
      return readExpansion(text.slice(at));
    case '\\': {
      const value = text.charAt(at + 1);
      // At the end it is a backslash to some shells; some crons turn two of them into one.
      return { kind: 'piece', length: 1 + value.length, value, isLiteral: false, isPlain: !/^\\?$/.test(value) };
    }
    default:
      return { kind: 'piece', length: 1, value: text.charAt(at), isLiteral: true, isPlain: true };
  }
}

function readSingleQuotes(text: string, at: number): Piece | Unbalanced {
  const end = text.indexOf("'", at + 1);
  if (end === -1) return { kind: 'unbalanced', what: 'a single quote' };
  return { kind: 'piece', length: end + 1 - at, value: text.slice(at + 1, end), isLiteral: false, isPlain: true };
}

function readDoubleQuotes(text: string, from: number): Piece | Unbalanced {
  const pieces: Piece[] = [];
  let at = from + 1;
  while (text[at] !== '"') {
    if (at >= text.length) return { kind: 'unbalanced', what: 'a double quote' };
    const piece = readQuotedPiece(text, at);
    if (piece.kind === 'unbalanced') return piece;
    pieces.push(piece);
    at += piece.length;
  }
  const value = pieces.map((piece) => piece.value).join('');
  return {
    kind: 'piece',
    length: at + 1 - from,
    value,
    isLiteral: false,
    isPlain: pieces.every((piece) => piece.isPlain),
  };
}

function readQuotedPiece(text: string, at: number): Piece | Unbalanced {
  if (text[at] === '$' || text[at] === '`') return readExpansion(text.slice(at));
  const isEscape = text[at] === '\\' && /[$`"\\]/.test(text.charAt(at + 1));
  const value = text.charAt(isEscape ? at + 1 : at);
  // Some crons turn two backslashes into one.
  return { kind: 'piece', length: isEscape ? 2 : 1, value, isLiteral: false, isPlain: !text.startsWith('\\\\', at) };
}

/** The one at the beginning of `text`. */
function readExpansion(text: string): Piece | Unbalanced {
  const expansion = (length: number, isPlain: boolean): Piece | Unbalanced =>
    length === 0
      ? { kind: 'unbalanced', what: 'an expansion' }
      : { kind: 'piece', length, value: text.slice(0, length), isLiteral: false, isPlain };
  const [variable] = /^\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*\})/.exec(text) ?? [];
  if (variable !== undefined) return expansion(variable.length, true);
  const [backticks = ''] = /^`(?:[^`\\]|\\.)*`/s.exec(text) ?? [];
  if (text.startsWith('`')) return expansion(backticks.length, false);
  if (text.startsWith('$(')) return expansion(lengthOfNested(text, '(', ')'), false);
  if (text.startsWith('${')) return expansion(lengthOfNested(text, '{', '}'), false);
  return expansion(/^\$[#?$!@*0-9-]/.test(text) ? 2 : 1, false);
}

/** 0 when there is no end. A bracket in quotes may make it too short, or leave it without an end. */
function lengthOfNested(text: string, opening: string, closing: string): number {
  let depth = 0;
  for (let at = 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === opening) depth += 1;
    else if (text[at] === closing) depth -= 1;
    if (depth === 0) return at + 1;
  }
  return 0;
}

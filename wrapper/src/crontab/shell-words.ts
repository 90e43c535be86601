/**
 * Reads a command line as a shell splits it: into simple commands of words and redirections. It expands nothing, and where
 * it isn't sure it says that the line is not plain.
 */
import { readWord, type Unbalanced, type Word } from './shell-word.ts';

export interface Redirection {
  /** Descriptor and operator, such as `2>`. */
  readonly operator: string;
  readonly target: Word;
}

export interface SimpleCommand {
  readonly words: readonly Word[];
  readonly redirections: readonly Redirection[];
  /** What separates it from the next one; empty for the last. */
  readonly separator: string;
}

export interface ReadLine {
  readonly kind: 'read';
  readonly commands: readonly SimpleCommand[];
  /** It has no command substitution, subshell, here-document, or other syntax than words, redirections and separators. */
  readonly isPlain: boolean;
}

type Token =
  | { readonly kind: 'word'; readonly word: Word }
  | { readonly kind: 'redirection'; readonly operator: string }
  | { readonly kind: 'separator'; readonly text: string };

const SEPARATORS = ['&&', '||', '|&', ';;', '|', '&', ';', '(', ')'];
const REDIRECTIONS = ['&>>', '&>', '<<<', '<<-', '<<', '>>', '<>', '>&', '<&', '>|', '>', '<'];

/** @param hasAmpersandRedirection whether `&>` is one operator */
export function readShellLine(text: string, hasAmpersandRedirection: boolean): ReadLine | Unbalanced {
  const tokens = readTokens(text, hasAmpersandRedirection);
  if ('kind' in tokens) return tokens;
  const commands: SimpleCommand[] = [];
  let words: Word[] = [];
  let redirections: Redirection[] = [];
  let isPlain = true;
  for (const [index, token] of tokens.entries()) {
    const previous = tokens[index - 1];
    switch (token.kind) {
      case 'word':
        isPlain &&= token.word.isPlain;
        if (previous?.kind === 'redirection') redirections.push({ ...previous, target: token.word });
        else words.push(token.word);
        break;
      case 'redirection':
        // One without a target is a syntax error, left to the shell.
        isPlain &&= !token.operator.includes('<<') && tokens[index + 1]?.kind === 'word';
        break;
      case 'separator':
        isPlain &&= token.text !== '(' && token.text !== ')';
        commands.push({ words, redirections, separator: token.text });
        words = [];
        redirections = [];
        break;
    }
  }
  if (words.length + redirections.length > 0) commands.push({ words, redirections, separator: '' });
  return { kind: 'read', commands, isPlain };
}

function readTokens(text: string, hasAmpersandRedirection: boolean): readonly Token[] | Unbalanced {
  const redirections = REDIRECTIONS.filter((each) => hasAmpersandRedirection || !each.startsWith('&'));
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    at += /^[ \t]*/.exec(text.slice(at))?.[0].length ?? 0;
    // The rest is a comment.
    if (at >= text.length || text[at] === '#') return tokens;
    const [digits = ''] = /^\d+(?=[<>])/.exec(text.slice(at)) ?? [];
    const redirection = redirections.find((each) => text.startsWith(each, at + digits.length));
    const separator = SEPARATORS.find((each) => text.startsWith(each, at));
    if (redirection !== undefined) {
      tokens.push({ kind: 'redirection', operator: digits + redirection });
      at += digits.length + redirection.length;
    } else if (separator !== undefined) {
      tokens.push({ kind: 'separator', text: separator });
      at += separator.length;
    } else {
      const word = readWord(text, at);
      if ('kind' in word) return word;
      tokens.push({ kind: 'word', word });
      at = word.end;
    }
  }
}

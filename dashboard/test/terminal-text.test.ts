import { expect, test } from 'vitest';
import { TerminalText, type TerminalToken } from '../src/output/terminal-text.ts';

const text = (words: string, style = ''): TerminalToken => ({ kind: 'text', text: words, style });
const read = (...parts: string[]) => {
  const terminal = new TerminalText();
  return parts.flatMap((part) => terminal.read(part));
};

test('plain text is one piece', () => {
  expect(read('hello\tworld')).toEqual([text('hello\tworld')]);
});

test('colours and weights become styles, until they are reset', () => {
  expect(read('\x1b[1;31mred\x1b[0m plain \x1b[92mgreen\x1b[39m.')).toEqual([
    text('red', 'fg1 bold'),
    text(' plain '),
    text('green', 'fg10'),
    text('.'),
  ]);
});

test('a sequence may be split anywhere', () => {
  const whole = '\x1b[1;34mblue\x1b[m\x1b]0;title\x07after';
  for (let cut = 1; cut < whole.length; cut += 1) {
    const joined = read(whole.slice(0, cut), whole.slice(cut)).reduce<Record<string, string>>((styles, token) => {
      if (token.kind === 'text') styles[token.style] = (styles[token.style] ?? '') + token.text;
      return styles;
    }, {});
    expect(joined).toEqual({ 'fg4 bold': 'blue', '': 'after' });
  }
});

test('more colours than sixteen are brought near', () => {
  expect(read('\x1b[38;5;196mx')).toEqual([text('x', 'fg9')]);
  expect(read('\x1b[38;2;0;200;0mx')).toEqual([text('x', 'fg2')]);
  expect(read('\x1b[48;5;4;1mx')).toEqual([text('x', 'bg4 bold')]);
});

test('titles, links, cursor movements and other controls leave no garbage', () => {
  expect(read('a\x1b]8;;https://example.org\x1b\\b\x1b[2J\x1b[3;4Hc\x1b(B\x1b[?25ld\x00\x7f')).toEqual(
    ['a', 'b', 'c', 'd'].map((word) => text(word)),
  );
});

test('a sequence that is never closed does not swallow the lines after it', () => {
  expect(read('\x1b]0;broken\nnext')).toEqual([{ kind: 'newline' }, text('next')]);
});

test('returns, backspaces and erased lines are told', () => {
  expect(
    read('a\r\x1b[Kb\b\x1b[2K\x1b[1K\n').map((token) => (token.kind === 'erase' ? token.part : token.kind)),
  ).toEqual(['text', 'return', 'after', 'text', 'backspace', 'all', 'before', 'newline']);
});

import { expect, test } from 'vitest';
import { compilePattern } from '../../src/redact/patterns.ts';
import { redactionRules, redactText } from '../../src/redact/redactor.ts';

function pattern(source: string): RegExp {
  const compiled = compilePattern(source);
  if (compiled.kind === 'invalid') throw new Error(compiled.why);
  return compiled.pattern;
}

const redact = (sources: string[], text: string) => redactText(redactionRules([], sources.map(pattern)), text);

test.each([
  ['(', 'invalid pattern (: Unterminated group'],
  ['a**', 'Nothing to repeat'],
  ['', 'it is empty'],
  ['[äö]', 'write (?:a|b)'],
  ['[\\u00e4]', 'write (?:a|b)'],
  ['\\p{L}', 'match bytes'],
  ['\\u{110000}', 'not a character'],
])('the pattern %j is refused with the reason', (source, why) => {
  expect(compilePattern(source)).toEqual({ kind: 'invalid', why: expect.stringContaining(why) });
});

test.each([
  ['token=\\S+', 'a token=x1 b', 'a [REDACTED] b'],
  ['token=\\S+', 'token=tür\u00a0à b', '[REDACTED] b'],
  ['x[\\s]y', 'x y xày', '[REDACTED] xày'],
  ['x[\\S]y', 'x y x.y', 'x y [REDACTED]'],
  ['x\\sy', 'x\ty x\u00a0y', '[REDACTED] x\u00a0y'],
  ['ü+', 'aüüb', 'a[REDACTED]b'],
  ['aü{2}b', 'aüüb', '[REDACTED]'],
  ['\\u00fc', 'aüb', 'a[REDACTED]b'],
  ['\\u{1f600}', 'a😀b', 'a[REDACTED]b'],
  ['\\ü', 'aüb', 'a[REDACTED]b'],
  ['\\u0041', 'xAx', 'x[REDACTED]x'],
  ['[\\u0041\\]]', 'xA]x', 'x[REDACTED]x'],
  ['^a', 'aa\nab\rac', '[REDACTED]a\n[REDACTED]b\r[REDACTED]c'],
  ['b$', 'bb\nab\r\nb', 'b[REDACTED]\na[REDACTED]\r\n[REDACTED]'],
  ['(?<=id=)\\d+', 'id=12 34', 'id=[REDACTED] 34'],
  ['x(?!\\s)', 'x\nx y', '[REDACTED]\nx y'],
])('%j makes of %j %j', (source, text, expected) => {
  expect(redact([source], text)).toBe(expected);
});

test.each(['a[^b]*c', 'a\\s*c', 'a[\\n\\r]*c', 'a\\W*c', '(?:a|\\n|\\r|c)+c'])(
  '%s never matches across lines',
  (source) => {
    for (const text of ['a\nc', 'a\rc', 'a\r\nc']) {
      expect(redact([source], text).replaceAll('[REDACTED]', 'c')).toBe(text);
    }
  },
);

test.each(['x*', '(?:)', '$', '\\b', '(?=a)', 'a{0}'])(
  '%s, which matches the empty string, changes nothing by that',
  (source) => {
    expect(redact([source], 'a b\n\na')).toBe('a b\n\na');
  },
);

test('a match follows an empty one', () => {
  expect(redact(['x*'], 'axxb')).toBe('a[REDACTED]b');
});

test('overlapping matches of several patterns are hidden as one', () => {
  expect(redact(['abc', 'cde', 'fg'], '-abcdefg-')).toBe('-[REDACTED]-');
});

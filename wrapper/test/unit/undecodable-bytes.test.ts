import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { trials } from '#testing/seed';
import { forPrintf, fromBytes, hasUndecodable, lossy, shown, toBytes } from '../../src/host/undecodable-bytes.ts';

/** Bytes as they come: parts of valid UTF-8, cut anywhere. */
const anyBytes = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc.string({ unit: 'grapheme', maxLength: 4 }).map((text) => Buffer.from(text)),
    ),
  )
  .chain((parts) => {
    const all = Buffer.concat(parts);
    return fc.nat({ max: all.length }).map((start) => all.subarray(start));
  });

test('any bytes are the same again', () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      const text = fromBytes(bytes);
      expect(toBytes(text)).toEqual(Buffer.from(bytes));
      // And what Node would have made of them, it makes of the string.
      expect(hasUndecodable(text)).toBe(!Buffer.from(text).equals(Buffer.from(bytes)));
      if (!hasUndecodable(text)) expect(text).toBe(Buffer.from(bytes).toString());
      expect(lossy(text)).toBe(Buffer.from(text).toString());
    }),
    trials(300, 10_000),
  );
});

test('they are shown with escapes, and characters of every length as they are', () => {
  const text = fromBytes(Buffer.from('caf\xe9 \xc3\xa9 \xf0\x9f\x98\x80 \xed\xa0\x80 \xc0\xaf', 'latin1'));
  expect(shown(text)).toBe('caf\\xe9 é 😀 \\xed\\xa0\\x80 \\xc0\\xaf');
});

test('printf makes them of their escapes', () => {
  const all = fromBytes(Buffer.from(Array.from({ length: 255 }, (_, index) => index + 1)));
  const made = execFileSync('/bin/sh', ['-c', 'printf %b "$1"', 'sh', forPrintf(`${all}\\0101\\c%s`)]);
  expect(made).toEqual(toBytes(`${all}\\0101\\c%s`));
});

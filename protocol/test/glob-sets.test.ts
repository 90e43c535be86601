import { expect, test } from 'vitest';
import { isWithinGlob, matchesGlob, mayOverlap } from '../glob.ts';

/** All texts of these letters, up to a length. */
function texts(letters: readonly string[], longest: number): string[] {
  const all = [''];
  for (let start = 0, length = 1; length <= longest; length++) {
    const end = all.length;
    for (; start < end; start++) for (const letter of letters) all.push(`${all[start]}${letter}`);
  }
  return all;
}

const GLOBS = texts(['a', 'b', '*'], 3);
// Long enough for what two globs ask for together, and with a letter that none of them has.
const NAMES = [...texts(['a', 'b'], 6), ...texts(['a', 'b', 'c'], 4)];

test('two globs overlap where a name matches both, and one is within another where no name says otherwise', () => {
  for (const one of GLOBS) {
    for (const other of GLOBS) {
      const matching = NAMES.filter((name) => matchesGlob(one, name));
      expect([one, other, mayOverlap(one, other)]).toEqual([
        one,
        other,
        matching.some((name) => matchesGlob(other, name)),
      ]);
      expect([one, other, isWithinGlob(one, other)]).toEqual([
        one,
        other,
        matching.every((name) => matchesGlob(other, name)),
      ]);
    }
  }
});

test('the cost of comparing two globs grows with their lengths only', () => {
  const glob = '*a'.repeat(25);
  expect(mayOverlap(glob, 'a*'.repeat(25))).toBe(true);
  expect(mayOverlap(glob, `${'a'.repeat(24)}b`)).toBe(false);
});

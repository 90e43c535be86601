import { expect, test } from 'vitest';
import { matchesGlob } from '../glob.ts';

test.each([
  ['*', 'anything', true],
  ['backup', 'backup', true],
  ['backup', 'backup2', false],
  ['web-*', 'web-1', true],
  ['web-*', 'web-', true],
  ['web-*', 'db-1', false],
  ['*.example.com', 'a.example.com', true],
  ['*.example.com', 'aXexample.com', false],
  ['a*b*c', 'a-b-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['ab*ba', 'aba', false],
  ['', '', true],
  ['', 'x', false],
])('%j and %j: %s', (glob, name, matches) => {
  expect(matchesGlob(glob, name)).toBe(matches);
});

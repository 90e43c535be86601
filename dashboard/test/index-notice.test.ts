import { expect, test } from 'vitest';
import { indexWarning } from '../src/pages/overview/index-notice.tsx';

const GB = 1_000_000_000;

function indexOf(bytes: number, maxBytes = 10 * GB) {
  return { bytes, max_bytes: maxBytes, warning_bytes: maxBytes * 0.7, removal_bytes: maxBytes * 0.8 };
}

test('an index with room is no news', () => {
  expect(indexWarning(indexOf(6.9 * GB))).toBeNull();
});

test('from 70 % on it is said what happens at 80 %, and then that it happens', () => {
  expect(indexWarning(indexOf(7.26 * GB))).toEqual({
    title: 'The index is 72 % full',
    detail:
      'All lists are read from it, and it holds 6.8 GiB of 9.3 GiB. At 80 % the oldest ended runs leave the lists; their own pages and their output stay.',
    mayGrow: false,
  });
  expect(indexWarning(indexOf(8 * GB))?.detail).toContain('The oldest ended runs are leaving the lists');
});

test('a limit below that of a paid plan can be raised', () => {
  expect(indexWarning(indexOf(0.4 * GB, 0.5 * GB))).toMatchObject({ mayGrow: true });
});

import { expect, test } from 'vitest';
import { parseLaunchRecord } from '../../src/launch/launch-state.ts';
import { launcherHeader } from '../../src/launch/launcher-header.ts';

const hex = (text: string) =>
  Buffer.from(text)
    .toString('hex')
    .replaceAll(/../g, ' $&')
    .replaceAll(/(.{48})/g, '$1\n');

test('a full record is read', () => {
  const environment = 'A=1\0B=x=y\n\0A=2\0LEASH_LAUNCH=old\0=odd\0noequals\0__proto__=p\0';
  const record = parseLaunchRecord(
    `pid=7 fds= nofile=unlimited\nsigign=0000000080004003\nenviron=\n${hex(environment)}`,
    7,
  );
  expect(record).toMatchObject({ noFileSoft: 'unlimited', ignoredSignals: [1, 2, 15], descriptors: [] });
  // Real-time signals and signal 32 are not Node's to reset; of two with one name the first counts.
  expect(Object.entries(record.environment ?? {})).toEqual([
    ['A', '1'],
    ['B', 'x=y\n'],
    ['__proto__', 'p'],
  ]);
});

const NOTHING = { noFileSoft: null, stackSoft: null, ignoredSignals: [], environment: null, descriptors: [] };

test.each(['', 'pid=8 fds= nofile=3\n', 'pid=7', 'nonsense', 'pid=7 fds= ', 'pid=7 fds= nofile=\nenviron=\nzz'])(
  'of %j nothing is believed',
  (text) => {
    expect(parseLaunchRecord(text, 7)).toEqual(NOTHING);
  },
);

test('a record without an environment still has its limit', () => {
  expect(parseLaunchRecord('pid=7 fds= nofile=1024\nsigign=0000000000000001\n', 7)).toEqual({
    ...NOTHING,
    noFileSoft: 1024,
    ignoredSignals: [1],
  });
});

test('the launcher is one comment to JavaScript', () => {
  const header = launcherHeader();
  expect(header.indexOf('*/')).toBe(header.length - '*/;'.length);
});

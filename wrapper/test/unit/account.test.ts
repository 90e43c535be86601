import { expect, test } from 'vitest';
import { parsePasswdLine } from '../../src/host/account.ts';

test('a line of passwd is read', () => {
  expect(parsePasswdLine('db:x:101:102:Data, base:/var/db:/bin/bash\n')).toEqual({
    name: 'db',
    uid: 101,
    gid: 102,
    home: '/var/db',
    shell: '/bin/bash',
  });
  expect(parsePasswdLine('bare:x:1:1:::')).toMatchObject({ home: '/', shell: '/bin/sh' });
});

test.each(['', 'x', 'a:x:-1:1:::', ':x:1:1:::', '+::::::'])('%j is not an account', (line) => {
  expect(parsePasswdLine(line)).toBeNull();
});

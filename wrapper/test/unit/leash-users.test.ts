import { expect, test } from 'vitest';
import { isSupervising, runsIt } from '../../src/install/leash-users.ts';

const PROGRAM = '/home/ana/.local/bin/leash';

test.each([
  ['0 3 * * *  /home/ana/.local/bin/leash run --job backup -- backup', true],
  ['0 3 * * *  ~/.local/bin/leash run --job backup -- backup', true],
  ['0 3 * * *  cd /srv && leash run --job backup -- backup', true],
  ['ExecStart=/home/ana/.local/bin/leash run --job backup -- backup', true],
  ['  # 0 3 * * *  leash run --job backup -- backup', false],
  ['0 3 * * *  /usr/local/bin/leash run --job backup -- backup', false],
  ['0 3 * * *  /home/ana/bin/unleash run --job backup', false],
  ['0 3 * * *  leash flush', false],
  ['', false],
])('%s: %s', (line, isUser) => {
  expect(runsIt(`MAILTO=root\n${line}\n`, PROGRAM)).toBe(isUser);
});

test('a process that supervises is told from one that only names the program', () => {
  expect(isSupervising(['/usr/bin/node', PROGRAM, 'run', '--job', 'backup'], PROGRAM)).toBe(true);
  expect(isSupervising(['/usr/bin/node', '--max-old-space-size=64', PROGRAM, 'adopt', ''], PROGRAM)).toBe(true);
  expect(isSupervising(['sudo', PROGRAM, 'uninstall', ''], PROGRAM)).toBe(false);
  expect(isSupervising(['vi', PROGRAM, ''], PROGRAM)).toBe(false);
});

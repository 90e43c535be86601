import { expect, test } from 'vitest';
import type { Run, Token } from '#protocol/api';
import { crontabLine, installLine, unattendedLine } from '../src/format/install-lines.ts';
import { firstRuns } from '../src/pages/tokens/first-runs.ts';
import { makeRun } from './make.ts';

const TOKEN: Token = {
  id: 't1',
  name: 'web machines',
  scopes: ['run'],
  jobs: 'backup-*',
  machines: 'web-*',
  created_at: '2026-03-01T10:00:00.000Z',
  expires_at: null,
  last_used_at: null,
};

function run(machine: string, job: string, minute: number): Run {
  return makeRun({ machine, job, started_at: `2026-03-01T10:${String(minute).padStart(2, '0')}:00.000Z` });
}

test('of each machine that the token is for, its first run since then, in the order in which they came', () => {
  const before = { ...run('web-1', 'backup-db', 0), started_at: '2026-03-01T09:59:59.999Z' };
  const runs = [
    before,
    run('web-2', 'backup-db', 5),
    run('web-1', 'backup-files', 7),
    run('web-1', 'backup-leash-test', 6),
    run('db-1', 'backup-db', 1),
    run('web-3', 'report', 1),
  ];
  expect(firstRuns(TOKEN, runs).map(({ machine, job }) => [machine, job])).toEqual([
    ['web-2', 'backup-db'],
    ['web-1', 'backup-leash-test'],
  ]);
  expect(firstRuns(TOKEN, [])).toEqual([]);
});

test('the lines fit whoever pastes them, and hold no token', () => {
  const origin = 'https://leash.example.com';
  expect(installLine(origin, 'root')).toBe(`curl -fsSL ${origin}/install.sh | sh -s -- --token-stdin`);
  expect(installLine(origin, 'sudo')).toBe(`curl -fsSL ${origin}/install.sh | sudo sh -s -- --token-stdin`);
  expect(unattendedLine(origin, 'user')).toBe(`curl -fsSL ${origin}/install.sh | sh -s -- --token-file TOKEN-FILE`);
  expect(crontabLine('user', 'backup')).toBe('0 3 * * *  ~/.local/bin/leash run --job backup -- /path/to/command');
});

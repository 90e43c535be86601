import os from 'node:os';
import * as v from 'valibot';
import { describe, expect, test, vi } from 'vitest';
import { Host } from '#protocol/machine-facts';
import { hostFacts, prettyName } from '../../src/host/host-facts.ts';

describe('the facts of a host', () => {
  test('are what the protocol takes', () => {
    const facts = hostFacts(null);
    expect(v.is(Host, facts)).toBe(true);
    expect(facts).toMatchObject({
      user: os.userInfo().username,
      is_root: process.getuid?.() === 0,
      node: process.version,
    });
    expect(facts.os).toContain(`${os.type()} ${os.release()}`);
  });

  test('name the user whom the command runs as', () => {
    expect(hostFacts('backup').user).toBe('backup');
  });

  test('have a number for a user without a name', () => {
    const userInfo = vi.spyOn(os, 'userInfo').mockImplementation(() => {
      throw new Error('ENOENT');
    });
    try {
      expect(hostFacts(null).user).toBe(String(process.geteuid?.()));
    } finally {
      userInfo.mockRestore();
    }
  });
});

test.each([
  ['NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n', 'Debian GNU/Linux 12 (bookworm)'],
  ["PRETTY_NAME='Alpine Linux v3.20'", 'Alpine Linux v3.20'],
  ['PRETTY_NAME=Void\n', 'Void'],
  ['PRETTY_NAME="a \\"quoted\\" one"', 'a "quoted" one'],
  ['PRETTY_NAME=""', null],
  ['ID=nothing', null],
])('os-release %j is called %j', (release, name) => {
  expect(prettyName(release)).toBe(name);
});

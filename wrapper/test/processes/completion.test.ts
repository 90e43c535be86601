/** The scripts of `leash completion`, run by the real shells; what the program itself offers is a unit test. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { COMPLETION_SCRIPTS, SHELLS } from '../../src/cli/completion/scripts.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const isThere = (program: string) => spawnSync(program, ['--version']).status === 0;
const hasZsh = isThere('zsh') && isThere('script');
const hasFish = isThere('fish');

/** Offers one word for some beginnings, and prints its arguments when it isn't asked. */
const PROGRAM = `#!/bin/sh
[ "$1 $2" = '__complete --' ] || { echo "ran: $*"; exit; }
shift 2
for last; do :; done
case "$# $last" in
  '1 com') printf 'completion\\tcomplete: command lines\\n' ;;
  '3 HU') echo HUP ;;
  '3 two') printf 'two-a\\ntwo-b\\n' ;;
  '3 no') echo :files ;;
esac
`;

let directory = '';
beforeEach(() => {
  directory = temporaryDirectory();
  fs.writeFileSync(path.join(directory, 'leash'), PROGRAM, { mode: 0o755 });
  fs.writeFileSync(path.join(directory, 'notes.txt'), '');
  for (const shell of SHELLS) fs.writeFileSync(path.join(directory, `leash.${shell}`), COMPLETION_SCRIPTS[shell]);
});

function run(program: string, args: readonly string[], input = ''): string {
  const env = { PATH: `${directory}:${process.env.PATH}`, HOME: directory, TERM: 'dumb' };
  const { stdout, stderr } = spawnSync(program, args, { cwd: directory, env, input, encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout;
}

test('bash', () => {
  const script = `. ./leash.bash
try() { COMP_WORDS=(leash "$@"); COMP_CWORD=$#; _leash; echo "\${COMPREPLY[@]}"; }
try com; try kill --signal HU; try kill --x two; try login --token-file no; try nothing`;
  expect(run('bash', ['--norc', '-c', script])).toBe('completion\nHUP\ntwo-a two-b\nnotes.txt\n\n');
});

test.skipIf(!hasZsh)('zsh completes on Tab (needs zsh and script)', () => {
  const lines = [
    'autoload -U compinit; compinit -u -D; source ./leash.zsh',
    ...['leash com', 'leash kill --signal HU', 'leash login --token-file no'].map((line) => `${line}\t`),
    'exit',
  ];
  const printed = run('script', ['-qec', 'zsh -f -i', '/dev/null'], lines.map((line) => `${line}\r`).join(''));
  expect(printed.split('\r\n').filter((line) => line.startsWith('ran: '))).toEqual([
    'ran: completion',
    'ran: kill --signal HUP',
    'ran: login --token-file notes.txt',
  ]);
});

test.skipIf(!hasFish)('fish (needs fish)', () => {
  const tries = ['leash com', 'leash kill --signal HU', 'leash kill --x two', 'leash login --token-file no'];
  const script = `source leash.fish\n${tries.map((line) => `complete -C '${line}'`).join('\n')}`;
  expect(run('fish', ['--no-config', '-c', script])).toBe(
    'completion\tcomplete: command lines\nHUP\ntwo-a\ntwo-b\nnotes.txt\n',
  );
});

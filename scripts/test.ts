/**
 * `npm test`: format, lint and types, the build, and every test. With arguments, which are vitest's, it is for the one who
 * works on something: no check, and a build only where what is named needs one.
 *
 *     npm test -- wrapper/test/unit/ledger.test.ts
 *     npm test -- test/kill.test.ts -t "a second kill"
 *
 * `npm run test:unit` (--unit): what needs no build, no runtime and no processes. `npm run test:watch` (--watch): the
 * same, or what is named, again whenever a file changes.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { DIST, ROOT } from './local/paths.ts';

const UNIT_TESTS = ['protocol/test', 'shared/test', 'bench/test', 'dashboard/test', 'wrapper/test/unit'];
const UNIT_CONFIG = ['--config', 'vitest.unit.config.ts'];

const args = process.argv.slice(2);
const isUnit = args.includes('--unit');
const isWatch = args.includes('--watch');
const named = args.filter((arg) => arg !== '--unit' && arg !== '--watch');
const mode = isWatch ? 'watch' : 'run';

if (isUnit || (isWatch && named.length === 0)) {
  run('vitest', mode, ...UNIT_CONFIG, ...UNIT_TESTS, ...named);
} else {
  if (named.length === 0) run('node', 'scripts/check.ts');
  if (needsBuild(named)) run('node', 'scripts/build.ts');
  run('vitest', mode, ...named);
}

/** Whether any of the test files that vitest would find by these words runs what is built. */
function needsBuild(words: readonly string[]): boolean {
  // What follows an option may be its value.
  if (words.length === 0 || words.some((word) => word.startsWith('-'))) return true;
  const files = globSync('{protocol,shared,bench,dashboard,wrapper,worker,test}/**/*.test.ts', { cwd: ROOT });
  // vitest takes `FILE:LINE` too.
  const paths = words.map((word) => word.replace(/:\d+$/, ''));
  const found = files.filter((file) => paths.some((path) => join(ROOT, file).includes(path)));
  const needs = (file: string) => {
    if (file.startsWith('test/')) return true;
    // The runtime wants to see that the page's directory is there.
    return file.startsWith('worker/') && !existsSync(join(DIST, 'page'));
  };
  return found.some(needs);
}

/** Runs it to its end; ends with its status if that isn't 0. */
function run(program: string, ...programArgs: string[]): void {
  const path = program === 'node' ? process.execPath : join(ROOT, 'node_modules', '.bin', program);
  const { status, error } = spawnSync(path, programArgs, { cwd: ROOT, stdio: 'inherit' });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

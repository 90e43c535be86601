/**
 * `npm run check`: format, lint, types and words of everything, side by side. `npm run typecheck` (--types-only): the types
 * alone. Prints what failed, whole; its exit status says whether any did.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './local/paths.ts';

/** What the last run found out of each file: tsc checks again what has changed since, and what depends on it. */
const BUILD_INFO = join(ROOT, 'node_modules', '.cache', 'leash-types');

/** Each has a tsconfig.json of its own; test/ has the one for scripts/, demo/ and bench/ too. */
const TYPED_PARTS = ['protocol', 'shared', 'worker', 'wrapper', 'dashboard', 'test'];

/** Its output passes through a pipe, where biome would take its own guess. */
const COLOURS = process.stderr.isTTY ? '--colors=force' : '--colors=off';

interface Check {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
}

interface Result {
  readonly check: Check;
  readonly status: number;
  readonly seconds: number;
  readonly output: string;
}

const formatAndLint: Check = {
  name: 'format and lint',
  program: 'biome',
  args: ['ci', '--error-on-warnings', COLOURS, '.'],
};
const words: Check = { name: 'words', program: 'node', args: [join(ROOT, 'scripts', 'check-words.ts')] };
const checks: Check[] = [
  ...(process.argv.includes('--types-only') ? [] : [formatAndLint, words]),
  ...TYPED_PARTS.map((part) => ({
    name: `types of ${part}`,
    program: 'tsc',
    args: [
      ...['-p', join(ROOT, part)],
      // The parts keep the processors busy already; several checkers in one part do some of the work several times.
      '--singleThreaded',
      ...['--incremental', '--tsBuildInfoFile', join(BUILD_INFO, `${part}.tsbuildinfo`)],
    ],
  })),
];

for (const part of TYPED_PARTS) {
  if (!existsSync(join(ROOT, part, 'tsconfig.json'))) console.error(`${part}/tsconfig.json is missing`);
}

const results = await Promise.all(checks.map(perform));
for (const { check, status, output } of results) {
  if (status !== 0) console.error(`\n${check.name}:\n\n${output.trimEnd()}\n`);
}
for (const { check, status, seconds } of results) {
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${check.name.padEnd(20)} ${seconds.toFixed(1)} s`);
}
process.exitCode = results.every((result) => result.status === 0) ? 0 : 1;

function perform(check: Check): Promise<Result> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const program = check.program === 'node' ? process.execPath : join(ROOT, 'node_modules', '.bin', check.program);
    const child = spawn(program, check.args, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      // tsc is a Go program that ends in seconds, with less than 300 MB: collecting garbage is half a second of each.
      env: { ...process.env, GOGC: 'off' },
    });
    let output = '';
    const keep = (chunk: Buffer) => {
      output += chunk.toString();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', reject);
    child.once('close', (code) =>
      resolve({ check, status: code ?? 1, seconds: (performance.now() - started) / 1000, output }),
    );
  });
}

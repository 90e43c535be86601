/**
 * `npm run test:proof -- --budget MINUTES --seed N`: what takes long by nature. `npm test` tries a sample of it.
 *
 * A test file that imports testing/seed.ts does more here. Those files run in rounds, each with another seed, until the
 * budget is spent; before them the wrapper's tests run on Node 18. A round that fails ends it all, and its seed repeats
 * it: `npm run test:proof -- --seed N`.
 *
 * `npm run test:proof -- chaos --seeds N` is a program of its own: test/chaos/main.ts.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { NODE_18 } from '../wrapper/vitest.node18.config.ts';
import { ROOT } from './local/paths.ts';
import { endGroup } from './local/process-group.ts';
import { onStopRequest } from './local/stop-request.ts';

const USAGE = 'usage: npm run test:proof -- [--budget MINUTES] [--seed N]';

type StepResult = 'passed' | 'failed' | 'interrupted' | 'spent';
const CLOSING_TEXT = {
  passed: 'passed',
  failed: 'failed: see above',
  interrupted: 'was interrupted',
  spent: 'ran to the end of its budget without a failure',
} as const;

const EXIT_CODES = { passed: 0, failed: 1, interrupted: 130, spent: 0 } as const;

if (process.argv[2] === 'chaos') process.exit(await playChaos(process.argv.slice(3)));

const { budgetMs, seed } = readOptions(process.argv.slice(2));
/** Resolves with why it is over, whatever has been tried by then. */
const stopped = Promise.race([
  onStopRequest().then(() => 'interrupted' as const),
  sleep(budgetMs, 'spent' as const, { ref: false }),
]);
const result = await prove();
console.log(`\nThe proof ${CLOSING_TEXT[result]}.`);
process.exit(EXIT_CODES[result]);

async function prove(): Promise<StepResult> {
  const files = await filesWithMoreToProve();
  if (existsSync(NODE_18)) {
    const onNode18 = await runTests('Node 18', seed, ['--project', 'wrapper-node18']);
    if (onNode18 !== 'passed') return onNode18;
  }
  for (let round = 0; ; round += 1) {
    const result = await runTests(`round ${round + 1}`, seed + round, files);
    if (result !== 'passed') return result;
  }
}

/** Runs vitest with these arguments until it ends, or until there is no more time. */
async function runTests(name: string, stepSeed: number, args: readonly string[]): Promise<StepResult> {
  console.log(`\n${name}: LEASH_TEST_SEED=${stepSeed}`);
  const child = spawn(join(ROOT, 'node_modules', '.bin', 'vitest'), ['run', '--bail=1', ...args], {
    cwd: ROOT,
    // A group of its own, so that all that it has started can be ended with it.
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, LEASH_TEST_PROOF: '1', LEASH_TEST_SEED: String(stepSeed) },
  });
  const ended = new Promise<StepResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code === 0 ? 'passed' : 'failed'));
  });
  const result = await Promise.race([ended, stopped]);
  if (result !== 'passed' && child.pid !== undefined) await endGroup(child.pid);
  if (result === 'failed') console.log(`\nTo repeat this run: npm run test:proof -- --seed ${stepSeed}`);
  return result;
}

/** As root with mounts of its own, which end with it: the disks of its machines. @returns its exit code */
async function playChaos(args: readonly string[]): Promise<number> {
  const ownMounts = ['--mount', '--propagation', 'private', '--'];
  const mayMount = process.getuid?.() === 0 && spawnSync('unshare', [...ownMounts, 'true']).status === 0;
  const node = [process.execPath, '--no-warnings', join(ROOT, 'test', 'chaos', 'main.ts'), ...args];
  const [program = '', ...rest] = mayMount ? ['unshare', ...ownMounts, ...node] : node;
  const child = spawn(program, rest, {
    stdio: 'inherit',
    env: { ...process.env, ...(mayMount ? { LEASH_CHAOS_OWN_MOUNTS: '1' } : {}) },
  });
  // It ends what it has started before it ends itself.
  void onStopRequest().then((signal) => child.kill(signal));
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

async function filesWithMoreToProve(): Promise<string[]> {
  const found: string[] = [];
  for await (const file of glob('{protocol,shared,worker,wrapper,dashboard,test}/**/*.test.ts', { cwd: ROOT })) {
    if (file.includes('node_modules')) continue;
    if ((await readFile(join(ROOT, file), 'utf8')).includes("from '#testing/seed'")) found.push(file);
  }
  return found.sort();
}

function readOptions(args: string[]): { budgetMs: number; seed: number } {
  try {
    const { values } = parseArgs({ args, options: { budget: { type: 'string' }, seed: { type: 'string' } } });
    const budgetMinutes = Number(values.budget ?? 30);
    const firstSeed = Number(values.seed ?? randomInt(2 ** 31));
    if (!(budgetMinutes > 0)) throw new Error('--budget must be a number of minutes greater than 0');
    if (!Number.isSafeInteger(firstSeed)) throw new Error('--seed must be a whole number');
    return { budgetMs: budgetMinutes * 60_000, seed: firstSeed };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    process.exit(2);
  }
}

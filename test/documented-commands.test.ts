import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { ROOT } from '../scripts/local/paths.ts';
import { UsageError } from '../wrapper/src/cli/flags.ts';
import { readInvocation } from '../wrapper/src/cli/invocation.ts';
import { type DocumentedBlock, documentedBlocks, plainCommands } from './support/documented-commands.ts';
import { MachineSandbox, whyNoSandbox } from './support/machine-sandbox.ts';
import type { SimulatedRun } from './support/simulated-run.ts';
import { useOwnTestEnvironment } from './support/use-test-environment.ts';

const blocks = documentedBlocks();
const blocksToRun = blocks.filter(({ notRunBecause }) => notRunBecause === null);
const files = [...new Set(blocksToRun.map(({ file }) => file))];

const noSandbox = whyNoSandbox();

/** Jobs that the documents speak of as running. */
const LIVE_JOBS = ['backup', 'sync-mirror', 'nightly-agent'];
/** The run that the documents speak of, as an id. */
const EXAMPLE_RUN = '01JABCDEFGHJKMNPQRSTVWXYZ0';

describe.skipIf(noSandbox !== null)(
  `every command in README and docs${noSandbox === null ? '' : `: ${noSandbox}`}`,
  () => {
    const environment = useOwnTestEnvironment();

    /** A run with output. A kill of an earlier block also ends runs that start within a second after it. */
    const liveRun = async (job: string): Promise<SimulatedRun> => {
      const run = await environment().simulate(job);
      run.print('one\ntwo\n');
      const { operator } = environment();
      const isLive = await waitFor(`the output of ${job}, or its end`, async () => {
        if ((await operator.run(run.id)).final) return 'ended';
        return (await operator.output(run.id)).text.includes('two') ? 'live' : null;
      });
      return isLive === 'live' ? run : liveRun(job);
    };

    describe.each(files)('%s', (file) => {
      let machine: MachineSandbox;
      beforeAll(async () => {
        machine = await MachineSandbox.create();
        await machine.write('/root/leash-token', `${environment().machineToken}\n`);
      });
      afterAll(() => machine.remove());

      test.each(blocksToRun.filter((block) => block.file === file))('works as typed (line $line)', async ({ text }) => {
        const { url, adminToken, machineToken } = environment();
        const mentioned = LIVE_JOBS.filter((job) => text.includes(job));
        const runs = await Promise.all(mentioned.map(liveRun));
        const { token } = await environment().admin.createToken({ name: 'leaked', scopes: ['read'] });
        const script = text
          .replaceAll('https://leash.example.com', url)
          .replaceAll('leash_…', machineToken)
          .replaceAll(EXAMPLE_RUN, runs[0]?.id ?? EXAMPLE_RUN);
        const { status, printed } = await machine.run(script, {
          PATH: `/usr/local/bin:${process.env.PATH}`,
          LEASH_URL: url,
          LEASH_TOKEN: adminToken,
          // As the documents call them.
          LEASH: url,
          TOKEN: adminToken,
          ADMIN: adminToken,
          LEASH_ADMIN_TOKEN: adminToken,
          RUN: runs[0]?.id ?? EXAMPLE_RUN,
          ID: token.id,
        });
        expect(status, `${script}\n${printed}`).toBe(0);
        // An error of the API is a response to curl like any other.
        expect(printed).not.toContain('"type":"about:blank"');
      });
    });
  },
);

describe.each(blocks.filter(({ notRunBecause }) => notRunBecause !== null))(
  '$file:$line, which is not run: $notRunBecause',
  ({ text }: DocumentedBlock) => {
    test('is shell, and what it calls of ours exists and takes these arguments', async () => {
      expect(spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
      for (const words of plainCommands(text)) await checkOwnCommand(words);
    });
  },
);

async function checkOwnCommand([program = '', ...args]: readonly string[]): Promise<void> {
  if (program.split('/').at(-1) === 'leash') await checkLeash(args);
  if (program === 'npm' && args[0] === 'run') expect(npmScripts()).toHaveProperty([args[1] ?? '']);
}

async function checkLeash(args: readonly string[]): Promise<void> {
  const invocation = readInvocation(args);
  expect(invocation.kind, args.join(' ')).not.toBe('unknown');
  if (invocation.kind !== 'subcommand') return;
  const { subcommand } = await invocation.subcommand.load();
  try {
    subcommand.check(invocation.argv);
  } catch (error) {
    if (error instanceof UsageError) throw new Error(`leash ${args.join(' ')}: ${error.message}`);
    throw error;
  }
}

function npmScripts(): Record<string, string> {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  return scripts;
}

/**
 * A process that uses a spool, to be started by tests:
 *
 *     claim STATE          claims every run of a state directory, over and over; prints each it gets, and never ends
 *     create STATE COUNT   creates runs and dies without a word
 *     hold STATE           creates a run and keeps it
 *     write DIRECTORY      writes output to a spool without end
 */
import { setImmediate as turn } from 'node:timers/promises';
import { UnackedOutput } from '../../src/output/unacked-output.ts';
import { ownProcess, type Processes } from '../../src/state/owner.ts';
import { claim, createRunDirectory } from '../../src/state/run-directory.ts';
import { listRuns } from '../../src/state/run-listing.ts';
import { patternBytes } from './pattern.ts';
import { someFacts } from './run-facts.ts';

const [, , what = '', target = '', count = '0'] = process.argv;
const processes = ownProcess();
if (processes === null) throw new Error('this process cannot be distinguished from others');
switch (what) {
  case 'claim':
    await claimAll(target, processes);
    break;
  case 'create':
    for (let each = 0; each < Number(count); each += 1) await createRunDirectory(target, someFacts(), processes);
    process.kill(process.pid, 'SIGKILL');
    break;
  case 'hold':
    await createRunDirectory(target, someFacts(), processes);
    process.stdout.write('ready\n');
    setInterval(() => {}, 1_000_000);
    break;
  case 'write':
    await writeForEver(target);
    break;
}

async function claimAll(state: string, processes: Processes): Promise<never> {
  process.stdout.write('ready\n');
  // All begin at the same moment.
  await new Promise((resolve) => process.stdin.once('data', resolve));
  for (;;) {
    for (const { path, run } of await listRuns(state, processes)) {
      if ((await claim(path, processes)) !== null) process.stdout.write(`${run}\n`);
    }
    process.stdout.write('round\n');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function writeForEver(directory: string): Promise<never> {
  const output = new UnackedOutput(512 * 1024, (why) => process.stderr.write(why));
  output.useSpool(directory, { bytes: 1024 ** 3, recompute: async () => 1024 ** 3 });
  for (;;) {
    output.append('stdout', patternBytes(output.end, 10_000));
    await turn();
  }
}

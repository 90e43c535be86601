/**
 * A thundering herd: every wrapper connects at the same moment, while an operator keeps killing runs.
 *
 *     npm run build && node bench/thundering-herd.ts [--wrappers 2000] [--jobs 1,200,2000] [--kill-every-ms 50]
 *
 * For each number of jobs it starts the built Worker on the local runtime with nothing stored, opens the wrappers'
 * connections from two processes at once, and posts one kill after the other for runs that have started. It prints when
 * all had their `ack start`, how long kills took, when D1 knew every run, and what D1 was asked for what; with one job also
 * how long one kill for all that are left takes.
 *
 * The local runtime is one thread for the Worker, all objects and D1: what D1 costs here, everything else waits for. With
 * `TMPDIR=/dev/shm` the disk is left out, to which each object's own database goes otherwise. docs/architecture.md has the
 * figures.
 */
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ulid } from 'ulid';
import { spawnControlPlane } from '../scripts/local/control-plane-child.ts';
import { ROOT } from '../scripts/local/paths.ts';
import type { Wrapper } from './thundering-herd/crowd-messages.ts';
import { ThunderingHerd } from './thundering-herd/herd.ts';

const PROCESSES = 2;

const { values: options } = parseArgs({
  options: {
    wrappers: { type: 'string', default: '2000' },
    jobs: { type: 'string', default: '1,200,2000' },
    'kill-every-ms': { type: 'string', default: '50' },
  },
});

for (const jobs of options.jobs.split(',').map(Number)) await measure(Number(options.wrappers), jobs);

async function measure(wrapperCount: number, jobCount: number): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'leash-bench-'));
  const adminToken = randomBytes(24).toString('base64url');
  const logged = { problems: 0, first: '' };
  const plane = await spawnControlPlane(
    { port: 0, stateDir: directory, adminToken, entry: join(ROOT, 'bench', 'thundering-herd', 'counted-worker.mjs') },
    (text) => {
      if (!/"level":"(warn|error)"/.test(text)) return;
      logged.problems += 1;
      logged.first ||= text.slice(0, 400);
    },
  );
  // A busy runtime takes its time to end in good order, and outlives this process meanwhile.
  const abandon = () => void plane.crash().then(() => process.exit(1));
  process.once('SIGINT', abandon).once('SIGTERM', abandon);
  const crowd = Array.from({ length: PROCESSES }, () => fork(join(ROOT, 'bench', 'thundering-herd', 'crowd.ts')));
  try {
    console.log(`\n${wrapperCount} wrappers of ${jobCount} job${jobCount === 1 ? '' : 's'}`);
    const killEveryMs = Number(options['kill-every-ms']);
    await new ThunderingHerd(plane, crowd, wrappers(wrapperCount, jobCount), killEveryMs).play(adminToken);
    if (logged.problems > 0) console.log(`  the Worker logged ${logged.problems} warnings or errors: ${logged.first}`);
  } finally {
    process.off('SIGINT', abandon).off('SIGTERM', abandon);
    for (const player of crowd) player.kill();
    await plane.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

function wrappers(count: number, jobs: number): Wrapper[] {
  return Array.from({ length: count }, (_, index) => ({
    job: `job-${index % jobs}`,
    run: ulid(),
    machine: `m${index}.example.com`,
  }));
}

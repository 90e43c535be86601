/**
 * What forks faster than it can be looked at. Hundreds of processes at once slow down whatever else is looking at
 * processes, so these run after all others, one at a time.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { expect, test } from 'vitest';
import { IS_PROOF, sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { killTree } from '../../src/kill/kill-tree.ts';
import { end, hasCgroup, Run } from '../support/process-tree-run.ts';
import { silent } from '../support/silent-log.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const hasPerl = IS_PROOF && spawnSync('perl', ['-e', '1']).status === 0;

const PLACES = [
  { into: 'its group', prefix: '', cgroup: false },
  { into: 'sessions of their own', prefix: 'setsid', cgroup: false },
  ...(hasCgroup ? [{ into: 'sessions of their own, within a cgroup', prefix: 'setsid', cgroup: true }] : []),
];

test.each(sampleOf(PLACES))(
  'what keeps forking into $into while it is being killed is ended',
  async ({ prefix, cgroup }) => {
    const storm = `trap "" TERM; i=0; while [ -d "$1" ]; do i=$((i+1)); ${prefix} sleep 0.2 & [ $i = 50 ] && echo $$; done; echo ran out`;
    const run = new Run(['sh', '-c', storm, 'sh', temporaryDirectory()], cgroup);
    await run.announced(1);
    await end(run, 50);
    expect(run.said).not.toContain('ran out');
  },
);

/** Each process starts the next, which calls setsid, and exits; until the directory in its arguments is gone, with the test. */
const CHAIN = `use POSIX; $SIG{TERM} = "IGNORE"; $| = 1; my $n = 0;
  while (-d $ARGV[0]) { exit 0 if fork; POSIX::setsid(); print "running\\n" if ++$n == 20; } print "ran out\\n";`;

test.runIf(hasPerl)(
  'a chain of forks and setsids is ended or reported, but never reported as gone while it runs',
  async () => {
    const run = new Run(['perl', '-e', CHAIN, temporaryDirectory()]);
    await waitFor('the chain', () => run.said.includes('running'));
    const survivors = await killTree(run.tree, { signal: 'SIGTERM', graceMs: 0 }, silent);
    if (survivors.length > 0) return;
    await run.closed();
    expect(run.said).not.toContain('ran out');
  },
);

test.runIf(hasPerl && hasCgroup)(
  'a chain of forks and setsids, even without the environment, can not leave its cgroup',
  async () => {
    const run = new Run(
      [
        'env',
        '-i',
        process.env.PATH === undefined ? 'A=1' : `PATH=${process.env.PATH}`,
        'perl',
        '-e',
        CHAIN,
        temporaryDirectory(),
      ],
      true,
    );
    await waitFor('the chain', () => run.said.includes('running'));
    expect(run.tree.members()).not.toEqual([]);
    expect(await killTree(run.tree, { signal: 'SIGTERM', graceMs: 0 }, silent)).toEqual([]);
    await run.closed();
    expect(run.said).not.toContain('ran out');
    run.tree.release();
    expect(fs.existsSync(run.origin.cgroup ?? '')).toBe(false);
  },
);

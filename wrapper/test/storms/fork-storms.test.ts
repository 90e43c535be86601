/**
 * What forks faster than it can be looked at. Hundreds of processes at once slow down whatever else is looking at
 * processes, so these run after all others, one at a time.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { endFamily } from '../../src/terminate/end-family.ts';
import { end, hasCgroup, Run, shell, silent } from '../support/family-run.ts';

const hasPerl = spawnSync('perl', ['-e', '1']).status === 0;

describe.each([
  { into: 'its group', prefix: '', cgroup: false },
  { into: 'sessions of their own', prefix: 'setsid', cgroup: false },
  { into: 'sessions of their own, within a cgroup', prefix: 'setsid', cgroup: true },
])('into $into', ({ prefix, cgroup }) => {
  test.skipIf(cgroup && !hasCgroup)('what keeps forking while it is being killed is ended', async () => {
    const run = shell(
      `trap "" TERM; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); ${prefix} sleep 0.2 & [ $i = 50 ] && echo $$; done; echo ran out`,
      { cgroup },
    );
    await run.announced(1);
    await end(run, 50);
    expect(run.said).not.toContain('ran out');
  });
});

/** Each process starts the next, which calls setsid, and exits. It ends by itself in 20 s. */
const CHAIN = `use POSIX; $SIG{TERM} = "IGNORE"; $| = 1; my $end = time + 20; my $n = 0;
  while (time < $end) { exit 0 if fork; POSIX::setsid(); print "running\\n" if ++$n == 20; } print "ran out\\n";`;

test.runIf(hasPerl)(
  'a chain of forks and setsids is ended or told of, but never said to be gone while it goes on',
  async () => {
    const run = new Run(['perl', '-e', CHAIN]);
    await waitFor('the chain', () => run.said.includes('running'));
    const survivors = await endFamily(run.family, { signal: 'SIGTERM', graceMs: 0 }, silent);
    if (survivors.length > 0) return;
    await run.closed();
    expect(run.said).not.toContain('ran out');
  },
);

test.runIf(hasPerl && hasCgroup)(
  'a chain of forks and setsids, even without the environment, can not leave its cgroup',
  async () => {
    const run = new Run(
      ['env', '-i', process.env.PATH === undefined ? 'A=1' : `PATH=${process.env.PATH}`, 'perl', '-e', CHAIN],
      true,
    );
    await waitFor('the chain', () => run.said.includes('running'));
    expect(run.family.members()).not.toEqual([]);
    expect(await endFamily(run.family, { signal: 'SIGTERM', graceMs: 0 }, silent)).toEqual([]);
    await run.closed();
    expect(run.said).not.toContain('ran out');
    run.family.release();
    expect(fs.existsSync(run.origin.cgroup ?? '')).toBe(false);
  },
);

/** What a run took, as a whole wrapper reports it of real processes; and limits on that. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { controlPlane, leashRun, marker, shell, WAIT, WITHOUT_CGROUP } from '../support/leash.ts';
import { living } from '../support/processes.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const MIB = 1024 * 1024;

/** Of a shell's `times`: what it and what it has waited for have used, as `0m1.500s 0m0.020s` in two lines. */
function timesOf(text: string): number {
  const all = [...text.matchAll(/(\d+)m([\d.]+)s/g)];
  return all.reduce((ms, [, minutes, seconds]) => ms + Number(minutes) * 60_000 + Number(seconds) * 1_000, 0);
}

const WAYS = [
  { how: 'a cgroup, where there may be one', env: {} },
  { how: 'no cgroup', env: WITHOUT_CGROUP },
];

test.each(sampleOf(WAYS))(
  'CPU time and written bytes are reported as the kernel counts them, with $how',
  async ({ env }) => {
    const plane = await controlPlane();
    const file = path.join(temporaryDirectory(), 'written');
    const burn = 'i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done';
    const line = `sh -c '${burn}' & sh -c 'sh -c "${burn}"'; dd if=/dev/zero of=${file} bs=64k count=16 2>/dev/null; wait; times; cat /proc/$$/io`;
    const leash = leashRun(shell(line, marker()), { plane, env });
    expect((await leash.exited()).code).toBe(0);
    const { usage } = await plane.completed();
    const output = leash.stdout.toString();
    const countedMs = timesOf(output);
    expect(countedMs).toBeGreaterThan(0);
    expect(usage?.cpu_ms).toBeGreaterThanOrEqual(Math.floor(countedMs / 10) * 10 - 40);
    // Half of it was used by a process that was waited for, and that must not count twice.
    expect(usage?.cpu_ms).toBeLessThan(countedMs * 1.3 + 100);
    const written = Number(/^write_bytes: (\d+)$/m.exec(output)?.[1]);
    expect(usage?.written_bytes).toBeGreaterThanOrEqual(written);
    expect(usage?.written_bytes).toBeLessThan(written + MIB / 2);
  },
);

test('somebody who looks sees what it takes; what the job is comes with the start', async () => {
  const plane = await controlPlane();
  const about = ['--tag', 'nightly', '--owner', 'Data team', '--runbook', 'https://wiki.example.com/x'];
  const leash = leashRun(shell(WAIT, marker()), { plane, options: about });
  const live = await waitFor('what it takes', () => plane.messages.find((message) => message.type === 'usage'));
  expect(live).toMatchObject({ usage: { cpu_ms: expect.any(Number), memory_bytes: expect.any(Number) } });
  const start = plane.messages.find((message) => message.type === 'start');
  expect(start?.about).toEqual({
    tags: ['nightly'],
    owner: 'Data team',
    runbook: 'https://wiki.example.com/x',
    note: null,
  });
  leash.kill('SIGTERM');
  await leash.exited();
  const { usage } = await plane.completed();
  expect(usage).toMatchObject({ memory_bytes: null, peak_memory_bytes: expect.any(Number) });
});

test('a run that takes more memory than it may is ended, with all that it has started: 137, and why', async () => {
  const plane = await controlPlane();
  const mark = marker();
  // Reads all of it into memory, and can't pass it on.
  const leash = leashRun(shell(`dd if=/dev/zero bs=64M count=1 2>/dev/null | ${WAIT}`, mark), {
    plane,
    options: ['--max-memory', '40M'],
  });
  expect((await leash.exited()).code).toBe(137);
  const { reason, exit_code, usage } = await plane.completed();
  expect({ reason, exit_code }).toEqual({ reason: 'memory_limit', exit_code: 137 });
  expect(usage?.peak_memory_bytes).toBeGreaterThan(40 * MIB);
  expect(leash.stderr).toContain('leash: the memory limit of 40 MiB was reached: ending the command\n');
  expect(living(mark)).toEqual([]);
});

test('CPU time beyond the limit ends a run even if nobody supervises it: 152', async () => {
  const leash = leashRun(shell('while :; do :; done', marker()), { options: ['--max-cpu', '300ms'] });
  expect((await leash.exited()).code).toBe(152);
  expect(leash.stderr).toContain('leash: the CPU time limit of 300ms was reached: ending the command\n');
});

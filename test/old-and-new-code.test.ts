/** What a deploy brings together for a while: the last releases and this build. */
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ulid } from 'ulid';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Kill, Run } from '#protocol/api';
import { IS_PROOF, sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { readDeployment } from '../scripts/local/deployment.ts';
import { JobWatch } from '../scripts/local/job-watch.ts';
import { DIST, deploymentFile, workerBundle } from '../scripts/local/paths.ts';
import { listReleases, type Release } from '../scripts/local/releases.ts';
import type { ControlPlanePart } from '../scripts/local/two-builds.ts';
import { expectedLines, numberedLines } from './support/commands.ts';
import { CALM, eventNames } from './support/test-environment.ts';
import { useOwnTestEnvironment, useTestEnvironment } from './support/use-test-environment.ts';

const LINES = 20;
const PRINTS_AND_WAITS = numberedLines(LINES, 0);

const releases = await listReleases();
/** The local runtime derives the file's name from its id. */
const RELEASED_DATABASE = { DB: { id: '00000000-0000-0000-0000-000000000000' } };

let unpacked: string;
beforeAll(async () => {
  unpacked = await mkdtemp(join(tmpdir(), 'leash-releases-'));
});
afterAll(() => rm(unpacked, { recursive: true, force: true }));

test('the releases that are kept are the last two', () => {
  expect(releases).toHaveLength(2);
});

test('the local runtime finds the database of those releases', async () => {
  const { workerOptions } = await readDeployment(deploymentFile(DIST));
  expect(workerOptions.d1Databases).toEqual(RELEASED_DATABASE);
});

describe('with this control plane, a wrapper of', () => {
  const environment = useTestEnvironment();

  test.each(sampleOf(releases.map(({ version }, nth) => [version, nth] as const)))(
    '%s starts a run, delivers its output, and ends it on a kill',
    async (version, nth) => {
      const program = await releaseAt(nth).unpackWrapper(join(unpacked, version));
      const job = `old-wrapper-${nth}`;
      const wrapper = environment().wrapper({ job, command: PRINTS_AND_WAITS, program });
      const run = await environment().runOf(job);
      expect(run.wrapper_version).toBe(version);
      expect(await environment().output(run.id, `line ${LINES}\n`)).toBe(expectedLines(LINES));

      const kill = await environment().kill(job, { reason: 'test' });

      expect(kill.targets).toMatchObject([{ state: 'gone', exit_code: 143 }]);
      expect((await wrapper.exit).code).toBe(143);
      const end = await environment().runOf(job, ({ final }) => final);
      expect(end).toMatchObject({ state: 'killed', exit_code: 143, output_bytes: expectedLines(LINES).length });
    },
  );
});

/** Which parts run the code of the last release. Each pair of parts that call each other is in one of the first two. */
const MIXTURES: readonly (readonly ControlPlanePart[])[] = [
  ...sampleOf<readonly ControlPlanePart[]>([
    ['JOBS', 'FLEET'],
    ['worker', 'D1_GATEWAY'],
  ]),
  ...(IS_PROOF ? ([['JOBS', 'D1_GATEWAY', 'FLEET'], ['worker'], ['FLEET'], ['worker', 'JOBS']] as const) : []),
];

describe.each(MIXTURES.map((parts) => ({ parts, names: parts.join(', ') })))(
  'with old code in: $names',
  ({ parts }) => {
    const release = releaseAt(0);
    const environment = useOwnTestEnvironment(CALM, async () => ({
      otherBuild: { ...(await release.unpackWorker(join(unpacked, 'worker'))), parts },
    }));

    test('sees a run, its output and its end by every way of reading, and kills it', async () => {
      const [seenRuns, seenKills]: [Run[], Kill[]] = [[], []];
      const fleet = await JobWatch.open(environment().url, environment().operatorToken, null, {
        run: (run) => seenRuns.push(run),
        kill: (kill) => seenKills.push(kill),
      });
      const wrapper = environment().wrapper({ job: 'both', command: PRINTS_AND_WAITS });
      const run = await environment().runOf('both');
      let watched = '';
      const job = await JobWatch.open(environment().url, environment().operatorToken, 'both', {
        output: ({ bytes }) => {
          watched += new TextDecoder().decode(bytes);
        },
      });
      onTestFinished(() => {
        for (const watch of [fleet, job]) watch.close();
      });
      job.subscribe(run.id);
      await waitFor('the output to be shown', () => watched === expectedLines(LINES));
      expect(await environment().output(run.id, `line ${LINES}\n`)).toBe(expectedLines(LINES));
      expect(await environment().operator.run(run.id, 'both')).toMatchObject({ id: run.id, state: 'running' });

      const kill = await environment().kill('both', { reason: 'test' });

      expect(kill).toMatchObject({ state: 'settled', targets: [{ run: run.id, state: 'gone', exit_code: 143 }] });
      expect((await wrapper.exit).code).toBe(143);
      const end = await environment().runOf('both', ({ final }) => final);
      expect(end).toMatchObject({ state: 'killed', exit_code: 143, reason: 'operator' });
      expect(eventNames(await environment().operator.events(run.id))).toEqual(
        expect.arrayContaining(['started', 'kill_requested', 'kill_sent', 'term', 'gone', 'ended']),
      );
      await waitFor('the lists to have the end', async () => {
        const [listed] = await environment().operator.runs({ job: 'both' });
        return listed?.state === 'killed';
      });
      await waitFor('the overview to be sent run and kill', () => {
        const hasEnd = seenRuns.some(({ id, state }) => id === run.id && state === 'killed');
        return hasEnd && seenKills.some(({ id, state }) => id === kill.id && state === 'settled');
      });
    });

    test('delivers a kill by selector, and one that was queued before its run connected', async () => {
      const runs = [await environment().simulate('many-1'), await environment().simulate('many-2')];
      const { kills } = await postKills({ jobs: 'many-*' });
      expect(kills.map(({ job }) => job).sort()).toEqual(['many-1', 'many-2']);
      await Promise.all(kills.map(({ id }) => environment().settled(id)));
      for (const run of runs) expect((await run.exit).code).toBe(143);

      const queued = await environment().operator.kill('late', { instance: 'late-1' });
      const late = await environment().simulate('late', { instance: 'late-1', ageMs: 60_000 });
      expect((await late.exit).code).toBe(143);
      expect(await environment().settled(queued.kill.id)).toMatchObject({ targets: [{ run: late.id, state: 'gone' }] });
      await expect(environment().operator.kill('never-seen')).rejects.toThrow('unknown_job');
    });

    test('notices a run id that two jobs report, and is swept without an error', async () => {
      const id = ulid();
      await environment().simulate('twin-1', { id });
      await environment().simulate('twin-2', { id });
      await expect(environment().operator.run(id)).rejects.toThrow('run_ambiguous');
      for (const job of ['twin-1', 'twin-2']) {
        await waitFor(`${job} to have the conflict`, async () =>
          (await environment().operator.events(id, job)).some(({ type }) => type === 'run_conflict'),
        );
      }
      await environment().controlPlane.sweep();
      expect(environment().log).not.toMatch(/"level":"error"|does not implement/);
    });

    test('closes what a token has opened once that is deleted, its session included', async () => {
      const { token, secret } = await environment().admin.createToken({ name: 'ends', scopes: ['run', 'read'] });
      const run = await environment().simulate('ends', {}, secret);
      const watches = [
        await JobWatch.open(environment().url, secret, null, {}),
        await JobWatch.open(environment().url, secret, 'ends', {}),
      ];
      const cookie = await signIn(secret);
      const session = () => fetch(`${environment().url}/api/v1/session`, { headers: { cookie } });
      expect((await session()).status).toBe(200);

      expect((await environment().admin.request('DELETE', `/tokens/${token.id}`)).status).toBe(204);

      await waitFor('all of its sockets to be closed', () => [...watches, run].every((socket) => !socket.isOpen));
      expect((await session()).status).toBe(401);
    });

    async function postKills(body: object): Promise<{ kills: Kill[] }> {
      const response = await environment().operator.request('POST', '/kills', body);
      expect(response.status).toBe(202);
      return (await response.json()) as { kills: Kill[] };
    }

    async function signIn(token: string): Promise<string> {
      const { url } = environment();
      const response = await fetch(`${url}/api/v1/session`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: url },
        body: JSON.stringify({ token }),
      });
      expect(response.status).toBe(200);
      return response.headers.get('set-cookie')?.split(';')[0] ?? '';
    }
  },
);

describe.runIf(IS_PROOF)('a state directory of the last release', () => {
  const environment = useOwnTestEnvironment(CALM, async () => {
    const dist = join(unpacked, 'dist');
    const { bundle } = await releaseAt(0).unpackWorker(join(dist, 'unpacked'));
    await mkdir(dirname(workerBundle(dist)), { recursive: true });
    await rename(bundle, workerBundle(dist));
    const deployment = await readDeployment(deploymentFile(DIST));
    const workerOptions = { ...deployment.workerOptions, d1Databases: RELEASED_DATABASE };
    await writeFile(deploymentFile(dist), JSON.stringify({ ...deployment, workerOptions }));
    return { dist };
  });

  test('is taken over by this build, with its runs, its tokens, and the wrappers that are connected', async () => {
    const program = await releaseAt(0).unpackWrapper(join(unpacked, 'state'));
    const wrapper = environment().wrapper({ job: 'taken-over', command: PRINTS_AND_WAITS, program });
    const run = await environment().runOf('taken-over');
    await environment().output(run.id, `line ${LINES}\n`);
    const ended = await environment().simulate('ended-before');
    ended.print('before\n');
    await ended.end(3);

    await environment().controlPlane.stop();
    await environment().restart();

    expect(await environment().operator.run(ended.id, 'ended-before')).toMatchObject({ state: 'failed', exit_code: 3 });
    expect((await environment().operator.output(ended.id)).text).toBe('before\n');
    await waitFor('the lists to have the run that has ended', async () => {
      const [listed] = await environment().operator.runs({ job: 'ended-before' });
      return listed?.state === 'failed';
    });
    await environment().run(run.id, ({ connected }) => connected, 'the wrapper to be back');
    const kill = await environment().kill('taken-over');
    expect(kill.targets).toMatchObject([{ run: run.id, state: 'gone' }]);
    expect((await wrapper.exit).code).toBe(143);
    expect((await environment().operator.output(run.id)).text).toBe(expectedLines(LINES));
  });
});

function releaseAt(nth: number): Release {
  const release = releases[nth];
  if (release === undefined) throw new Error('no release is kept in releases/');
  return release;
}

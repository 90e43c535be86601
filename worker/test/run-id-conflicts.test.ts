/** Two jobs that report the same run id, one of them in bad faith: neither may hide the other's run. */
import { ulid } from 'ulid';
import { beforeAll, describe, expect, test } from 'vitest';
import type { AuditEntry, Kill, Run } from '#protocol/api';
import { waitFor } from '#testing/wait-for';
import { countChanges } from '../shared/d1/counters.ts';
import { auditRunIdConflicts } from '../shared/d1/run-id-conflicts.ts';
import { findRuns, indexRuns } from '../shared/d1/runs.ts';
import { call, newToken, postKill, refusal, request } from './support/api.ts';
import { env } from './support/env.ts';
import { index, indexedRun, rowsRead } from './support/indexed-runs.ts';
import { jobObject, run as objectRun, runEvents } from './support/objects.ts';
import { TestViewer } from './support/viewer.ts';
import { type Identity, newIdentity, TestWrapper } from './support/wrapper.ts';

async function indexedOf({ job, run }: Identity): Promise<Run> {
  const [found] = await waitFor('the index to have the run', async () => {
    const runs = await findRuns(env.DB, { id: run, jobGlob: '*', job });
    return runs.length > 0 && runs;
  });
  if (found === undefined) throw new Error('a run was found');
  return found;
}

async function get<Body>(path: string, token?: string): Promise<Body> {
  const response = await call('GET', path, token === undefined ? {} : { token });
  expect([path, response.status]).toEqual([path, 200]);
  return response.json<Body>();
}

async function killMany(body: unknown): Promise<Kill[]> {
  const response = await call('POST', '/kills', { body });
  expect(response.status).toBeLessThan(300);
  return (await response.json<{ kills: Kill[] }>()).kills;
}

async function conflictsToldTo({ job, run }: Identity): Promise<string[]> {
  return (await runEvents(job, run)).flatMap((event) => (event.type === 'run_conflict' ? [event.job] : []));
}

async function conflictEntries(job: string): Promise<AuditEntry[]> {
  const { audit } = await get<{ audit: AuditEntry[] }>(`/audit?action=run_conflict&subject=${job}`);
  return audit;
}

async function counted(): Promise<number> {
  const headers = { Authorization: `Bearer ${env.LEASH_ADMIN_TOKEN}` };
  const text = await (await request('/metrics', { headers })).text();
  const found = /^leash_run_id_conflicts_total (\d+)$/m.exec(text)?.[1];
  if (found === undefined) throw new Error('there is a metric of conflicts');
  return Number(found);
}

async function connectIndexed(who: Identity, token?: string): Promise<TestWrapper> {
  const wrapper = await TestWrapper.connect(who, {}, token);
  await indexedOf(who);
  return wrapper;
}

describe.each(['first', 'second'])('a run whose id another job reports, %s', (when) => {
  const real = newIdentity(`real-${when}`);
  const evil: Identity = { ...real, job: `evil-${when}`, machine: 'evil' };
  const [first, second] = when === 'first' ? [evil, real] : [real, evil];
  let wrapper: TestWrapper;
  let intruder: TestWrapper;
  let countedBefore: number;

  beforeAll(async () => {
    countedBefore = await counted();
    const { secret } = await newToken({ name: 'evil', scopes: ['run'], jobs: 'evil-*' });
    if (when === 'first') intruder = await connectIndexed(evil, secret);
    wrapper = await connectIndexed(real);
    if (when === 'second') intruder = await connectIndexed(evil, secret);
  });

  test('is in the lists of its own job, and in those of all', async () => {
    const path = `/runs?job=${real.job}&state=running`;
    expect((await get<{ runs: Run[] }>(path)).runs).toMatchObject([{ id: real.run, machine: real.machine }]);
    const { runs } = await get<{ runs: Run[] }>('/runs?state=running&limit=500');
    const namesakes = runs.filter(({ id }) => id === real.run).map(({ job }) => job);
    expect(namesakes.sort()).toEqual([evil.job, real.job]);
    const { job } = await get<{ job: { running: Run[] } }>(`/jobs/${real.job}`);
    expect(job.running).toMatchObject([{ id: real.run, job: real.job }]);
  });

  test('is found by its id and its job; by the id alone the wrong one is never reported', async () => {
    for (const path of ['', '/events', '/output']) {
      expect(await refusal(call('GET', `/runs/${real.run}${path}`))).toBe('409 run_ambiguous');
      expect((await call('GET', `/runs/${real.run}${path}?job=${real.job}`)).status).toBe(200);
    }
    const problem = await (await call('GET', `/runs/${real.run}`)).json<{ detail: string; jobs: string[] }>();
    expect(problem.detail).toContain(`${evil.job}, ${real.job}`);
    expect(problem.jobs).toEqual([evil.job, real.job]);
    const { run } = await get<{ run: Run }>(`/runs/${real.run}?job=${real.job}`);
    expect(run).toMatchObject({ job: real.job, machine: real.machine });
    expect(await refusal(call('GET', `/runs/${real.run}?job=neither`))).toBe('404 unknown_run');
    const part = call('GET', `/runs/${real.run}/output?job=${real.job}`, { headers: { Range: 'bytes=0-' } });
    expect(await refusal(part)).toBe('416 range_not_satisfiable');
  });

  test('is the only one for a token that may not see the other job', async () => {
    const { secret } = await newToken({ name: 'real', scopes: ['read'], jobs: 'real-*' });
    const { run } = await get<{ run: Run }>(`/runs/${real.run}`, secret);
    expect(run.job).toBe(real.job);
    expect(await refusal(call('GET', `/runs/${real.run}?job=${evil.job}`, { token: secret }))).toBe('404 unknown_run');
  });

  test('is reported to people: by an event at both, an entry in the audit, and a metric', async () => {
    await waitFor('both jobs to be told', async () => {
      const told = [...(await conflictsToldTo(real)), ...(await conflictsToldTo(evil))];
      return told.length === 2 && told;
    });
    expect(await conflictsToldTo(real)).toEqual([evil.job]);
    expect(await conflictsToldTo(evil)).toEqual([real.job]);
    expect(await conflictEntries(first.job)).toEqual([]);
    expect(await conflictEntries(second.job)).toMatchObject([
      {
        actor: null,
        count: 1,
        detail: { run: real.run, machine: second.machine, first_job: first.job, first_machine: first.machine },
      },
    ]);
    expect(await counted()).toBe(countedBefore + 1);
  });

  test('is reached by a kill by selector, by one of its job, and by one that names it with its job', async () => {
    for (const body of [{ jobs: 'real-*' }, { machines: real.machine, jobs: real.job }]) {
      const [kill] = await killMany(body);
      expect(kill).toMatchObject({ job: real.job, targets: [{ run: real.run, state: 'sent' }] });
      await wrapper.next('the kill', (message) => message.type === 'kill' && message.kill === kill?.id);
    }
    const byJob = await postKill(real.job, { run: real.run });
    expect(byJob.targets).toMatchObject([{ run: real.run, machine: real.machine }]);
    const [named] = await killMany({ runs: [{ job: real.job, run: real.run }] });
    expect(named).toMatchObject({ job: real.job, run: real.run, targets: [{ machine: real.machine }] });
    await wrapper.next('the kill', (message) => message.type === 'kill' && message.kill === named?.id);
    await intruder.settled();
    expect(intruder.of('kill')).toEqual([]);
  });

  test('is not killed by its bare id, and nor is the other', async () => {
    const before = await env.DB.prepare('SELECT count(*) AS n FROM kills').first('n');
    const response = await call('POST', '/kills', { body: { runs: [real.run] } });
    expect(response.status).toBe(409);
    const { code, detail } = await response.json<{ code: string; detail: string }>();
    expect(code).toBe('run_ambiguous');
    expect(detail).toContain(`${evil.job}, ${real.job}`);
    expect(await env.DB.prepare('SELECT count(*) AS n FROM kills').first('n')).toBe(before);
    const { secret } = await newToken({ name: 'real', scopes: ['kill'], jobs: 'real-*' });
    const blind = await call('POST', '/kills', { token: secret, body: { runs: [real.run] } });
    expect((await blind.json<{ kills: Kill[] }>()).kills).toMatchObject([{ job: real.job }]);
  });

  test('has its own state, whatever becomes of the other', async () => {
    const viewer = await TestViewer.watch('/watch');
    await intruder.completed();
    await waitFor('the end of the other', async () => (await indexedOf(evil)).final);
    expect(await indexedOf(real)).toMatchObject({ state: 'running', job: real.job });
    await wrapper.completed({ reason: 'exited', exit_code: 3, command_exit_code: 3, signal: null });
    await waitFor('its end', async () => (await indexedOf(real)).state === 'failed');
    await viewer.next('run', ({ run }) => run.job === real.job && run.state === 'failed');
    // What has been told once is not told again.
    expect(await conflictsToldTo(real)).toEqual([evil.job]);
    expect(await conflictEntries(second.job)).toHaveLength(1);
    expect(await counted()).toBe(countedBefore + 1);
  });
});

test('a run that its job’s object knows and the index does not is killed there, although another job has its id', async () => {
  const real = newIdentity('unindexed');
  await connectIndexed({ ...real, job: 'unindexed-evil' });
  expect(await refusal(call('POST', '/jobs/unindexed/kill', { body: { run: real.run } }))).toBe('404 unknown_run');
  await TestWrapper.connect(real);
  await indexedOf(real);
  await env.DB.prepare('DELETE FROM runs WHERE job = ?').bind(real.job).run();
  expect((await postKill(real.job, { run: real.run })).targets).toMatchObject([{ run: real.run, state: 'sent' }]);
  const [named] = await killMany({ runs: [{ job: real.job, run: real.run }] });
  expect(named?.targets).toMatchObject([{ run: real.run, state: 'sent' }]);
});

test('a state that the index has refused is not sent to the pages', async () => {
  const who = newIdentity('refused-state');
  const wrapper = await connectIndexed(who);
  await env.DB.prepare('UPDATE runs SET seq = 1000 WHERE id = ?').bind(who.run).run();
  const viewer = await TestViewer.watch('/watch');
  await wrapper.completed();
  const after = newIdentity('refused-state-after');
  await TestWrapper.connect(after);
  await viewer.next('run', ({ run }) => run.id === after.run);
  expect((await objectRun(who.job, who.run))?.final).toBe(true);
  expect(viewer.of('run').map(({ run }) => run.job)).not.toContain(who.job);
});

test('two jobs that report an id at the same moment both have their run', async () => {
  const one = indexedRun(Date.now(), null, { job: 'same-moment-a' });
  const before = await counted();
  await index([one, { ...one, job: 'same-moment-b' }]);
  const runs = await findRuns(env.DB, { id: one.id, jobGlob: '*', job: null });
  expect(runs.map(({ job }) => job)).toEqual(['same-moment-a', 'same-moment-b']);
  expect(await counted()).toBe(before + 1);
});

test('who makes many conflicts fills neither the audit nor the events of a run', async () => {
  const who = newIdentity('flooded');
  await connectIndexed(who);
  await env.DB.prepare("DELETE FROM audit WHERE action = 'run_conflict'").run();
  const first = { job: who.job, machine: who.machine };
  const conflicts = Array.from({ length: 30 }, (_, number) => ({
    ...first,
    id: who.run,
    job: `flood-${number}`,
    first,
  }));
  const flood = async () => {
    await env.DB.batch(auditRunIdConflicts(env.DB, conflicts, Date.now()));
    for (const { job } of conflicts) await jobObject(who.job).recordRunIdConflict(who.run, job);
  };
  await flood();
  await flood();
  const { audit } = await get<{ audit: AuditEntry[] }>('/audit?action=run_conflict&limit=500');
  expect(audit.map(({ subject }) => subject).sort()).toEqual(
    ['many', ...conflicts.slice(0, 20).map(({ job }) => job)].sort(),
  );
  expect(await conflictsToldTo(who)).toEqual(conflicts.slice(0, 10).map(({ job }) => job));
});

test('a run costs D1 one row and three index entries, two more while it lives, and nothing when it is sent again', async () => {
  const rowsWritten = async (sent: Run) => {
    const results = await env.DB.batch([countChanges(env.DB, [sent], []), ...indexRuns(env.DB, [sent])]);
    return results.reduce((rows, { meta }) => rows + meta.rows_written, 0);
  };
  const run = indexedRun(Date.now(), null, { job: 'rows-written' });
  // By start, by job, by span, and among those that are open.
  expect(await rowsWritten(run)).toBe(5);
  expect(await rowsWritten(run)).toBe(0);
  expect(await rowsWritten({ ...run, connected: false, seq: 2 })).toBe(1);
  // How the job ended last on its machine, which is found by either name, and a counter.
  const ended = { ...indexedRun(Date.now(), 1_000, { job: 'rows-written' }), id: run.id, seq: 3 };
  expect(await rowsWritten(ended)).toBe(4);
  expect(await rowsWritten({ ...ended, output_bytes: 7, seq: 4 })).toBe(1);
  expect(await rowsWritten(indexedRun(Date.now(), 1_000, { job: 'rows-written' }))).toBe(5);
});

describe('an id that thousands of jobs have reported', () => {
  const id = ulid();

  beforeAll(async () => {
    const runs = Array.from({ length: 2_000 }, (_, number) => indexedRun(0, null, { id, job: `a-${number}` }));
    await index([...runs, indexedRun(0, null, { id, job: 'z-real' })]);
  });

  test('is found, for who may see one of them only, and named by a few', async () => {
    const found = await findRuns(env.DB, { id, jobGlob: 'z-*', job: null });
    expect(found.map(({ job }) => job)).toEqual(['z-real']);
    const { detail } = await (await call('GET', `/runs/${id}`)).json<{ detail: string }>();
    expect(detail).toMatch(/: a-0, a-1, a-10, a-100, a-1000 and others\./);
    expect(await rowsRead((db) => findRuns(db, { id, jobGlob: '*', job: 'z-real' }))).toBeLessThan(5);
  });
});

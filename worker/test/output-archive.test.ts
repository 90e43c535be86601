/** Output of ended runs moves to a bucket, and readers do not notice. */
import { runDurableObjectAlarm } from 'cloudflare:test';
import { expect, test, vi } from 'vitest';
import { encodeOutputFrame, MAX_OUTPUT_PAYLOAD_BYTES } from '#protocol/output-frame';
import { waitFor } from '#testing/wait-for';
import { call } from './support/api.ts';
import { useFakeDate } from './support/clock.ts';
import { indexed } from './support/d1.ts';
import { env } from './support/env.ts';
import { deadlines, jobObject, restart, withFault } from './support/objects.ts';
import { useBucket, useSettings } from './support/settings.ts';
import { outputRows, query, sums, tables } from './support/storage.ts';
import { TestViewer } from './support/viewer.ts';
import { type Identity, newIdentity, TestWrapper } from './support/wrapper.ts';

const JOB_MAX = 12_000_000;
const DAY_MS = 24 * 60 * 60 * 1000;
const LARGE = 40_000;

useFakeDate();
useBucket();
useSettings({ RUN_OUTPUT_MAX_BYTES: String(JOB_MAX), JOB_OUTPUT_MAX_BYTES: String(JOB_MAX) });

/** A run with both streams and a gap, `size` bytes of each large part. @returns where its output ends */
async function endedRun(who: Identity, size = LARGE): Promise<number> {
  const wrapper = await TestWrapper.connect(who);
  wrapper.print(0, 'a'.repeat(size));
  wrapper.print(size, 'err\n', 'stderr');
  wrapper.say({ type: 'gap', from: size + 4, to: size + 104 });
  wrapper.print(size + 104, 'b'.repeat(size));
  wrapper.print(2 * size + 104, 'end\n');
  const end = 2 * size + 108;
  await wrapper.acked(end);
  await wrapper.completed({ final_offset: end });
  wrapper.close();
  await indexed(who.run);
  return end;
}

/** Passes a day, and fires the alarms until nothing is left to move or to remove from the bucket. */
async function passDay(job: string, ms = DAY_MS): Promise<void> {
  vi.setSystemTime(Date.now() + ms + 1_000);
  await runDurableObjectAlarm(jobObject(job));
  await moved(job);
}

async function moved(job: string): Promise<void> {
  await waitFor('nothing to be left to move', async () => {
    vi.setSystemTime(Date.now() + 60);
    await runDurableObjectAlarm(jobObject(job));
    return (await deadlines(job, 'archive')) === 0 && (await deadlines(job, 'trim')) === 0;
  });
}

async function bucketKeys(job: string): Promise<string[]> {
  return (await env.TEST_BUCKET.list({ prefix: `${job}/` })).objects.map(({ key }) => key);
}

async function streams(who: Identity): Promise<(string | null)[]> {
  const rows = await query<{ stream: string | null }>(
    who.job,
    'SELECT stream FROM output WHERE run = ? ORDER BY start',
    who.run,
  );
  return rows.map(({ stream }) => stream);
}

/** All that different readers get of a run's output. */
async function read({ run, job }: Identity): Promise<unknown[]> {
  const reads: unknown[] = [];
  for (const what of [
    '',
    `?offset=${LARGE - 2}`,
    '?tail=10',
    `?tail=${LARGE + 60}`,
    '?stream=stderr',
    '?stream=stdout&gaps=marked',
  ]) {
    const response = await call('GET', `/runs/${run}/output${what}`);
    const headers = [...response.headers].filter(([name]) => name !== 'leash-request-id');
    reads.push([what, response.status, headers, await response.text()]);
  }
  for (const range of [`bytes=10-${LARGE + 2}`, 'bytes=-5', `bytes=${LARGE + 104}-`]) {
    const response = await call('GET', `/runs/${run}/output`, { headers: { Range: range } });
    reads.push([range, response.status, response.headers.get('Content-Range'), await response.text()]);
  }
  for (const subscription of [
    { offset: 0 },
    { offset: 0, tail: 10 },
    { offset: LARGE + 50 },
    { offset: 3, bytes: 5 },
  ]) {
    const viewer = await TestViewer.watch(`/jobs/${job}/watch`);
    viewer.say({ type: 'subscribe', run, ...subscription });
    const { offset } = await viewer.next('subscribed');
    await waitFor(
      'all of it',
      () => viewer.offset === 2 * LARGE + 108 || ('bytes' in subscription && viewer.offset > 3),
    );
    reads.push([subscription, offset, viewer.output, viewer.of('gap'), viewer.offset]);
    viewer.close();
  }
  return reads;
}

test('output moves a day after the end, and whoever reads it gets the same as before', async () => {
  const who = newIdentity('archive-read');
  await endedRun(who);
  const before = await read(who);
  expect(await streams(who)).toEqual(['stdout', 'stderr', null, 'stdout', 'stdout']);
  await passDay(who.job);
  expect(await streams(who)).toEqual(['archive']);
  expect(await bucketKeys(who.job)).toEqual([`${who.job}/${who.run}/0`]);
  expect(await read(who)).toEqual(before);
  // It no longer counts as stored in the object.
  expect((await sums(who.job)).ofRuns).toBe(0);
});

test('large output moves in several archives, and is read across them', async () => {
  const who = newIdentity('archive-large');
  const wrapper = await TestWrapper.connect(who);
  const frames = 36;
  const at = (frame: number) => frame * MAX_OUTPUT_PAYLOAD_BYTES;
  for (let frame = 0; frame < frames; frame += 1) {
    const bytes = new Uint8Array(MAX_OUTPUT_PAYLOAD_BYTES).fill(frame);
    wrapper.raw(encodeOutputFrame({ stream: frame % 2 === 0 ? 'stdout' : 'stderr', start: at(frame), bytes }));
    await wrapper.acked(at(frame + 1));
  }
  await wrapper.completed({ final_offset: at(frames) });
  wrapper.close();
  await indexed(who.run);
  await passDay(who.job);
  expect(await streams(who)).toEqual(['archive', 'archive']);
  expect(await bucketKeys(who.job)).toHaveLength(2);
  const bytes = new Uint8Array(await (await call('GET', `/runs/${who.run}/output`)).arrayBuffer());
  expect(bytes.length).toBe(at(frames));
  expect(bytes.every((byte, index) => byte === Math.floor(index / MAX_OUTPUT_PAYLOAD_BYTES))).toBe(true);
});

test('only output that is worth it moves: not that of a live run, and not what is small', async () => {
  const live = newIdentity('archive-not');
  const small = newIdentity(live.job);
  const wrapper = await TestWrapper.connect(live);
  wrapper.print(0, 'x'.repeat(100_000));
  await wrapper.acked(100_000);
  await endedRun(small, 1_000);
  await passDay(live.job);
  expect(await bucketKeys(live.job)).toEqual([]);
  expect(await streams(live)).toEqual(['stdout']);
});

test('when the object fails between the bucket and its own storage, all is there, and it moves later', async () => {
  const who = newIdentity('archive-fault');
  await endedRun(who);
  const before = await read(who);
  await withFault(who.job, 'DELETE ON output', async () => {
    vi.setSystemTime(Date.now() + DAY_MS + 1_000);
    await runDurableObjectAlarm(jobObject(who.job));
    vi.setSystemTime(Date.now() + 60);
    await runDurableObjectAlarm(jobObject(who.job));
    await waitFor('it to be in the bucket', async () => (await bucketKeys(who.job)).length === 1);
  });
  await restart(who.job);
  expect(await streams(who)).toEqual(['stdout', 'stderr', null, 'stdout', 'stdout']);
  expect(await read(who)).toEqual(before);
  await passDay(who.job, 10 * 60 * 1000);
  expect(await streams(who)).toEqual(['archive']);
  expect(await bucketKeys(who.job)).toHaveLength(1);
  expect(await read(who)).toEqual(before);
});

test('retention removes what a run has in the bucket, and only then clears the object', async () => {
  const who = newIdentity('archive-removed');
  await endedRun(who);
  await passDay(who.job);
  expect(await bucketKeys(who.job)).toHaveLength(1);
  vi.setSystemTime(Date.now() + 91 * DAY_MS);
  await waitFor('the object to be cleared', async () => {
    vi.setSystemTime(Date.now() + 6_000);
    await runDurableObjectAlarm(jobObject(who.job));
    return (await tables(who.job)).length === 0;
  });
  expect(await bucketKeys(who.job)).toEqual([]);
});

test('a job that fills its storage moves the output of ended runs at once, and keeps all of it', async () => {
  const job = 'archive-full';
  const runs = Array.from({ length: 3 }, () => newIdentity(job));
  for (const who of runs) {
    const wrapper = await TestWrapper.connect(who);
    const end = 20 * 250_000;
    for (let start = 0; start < end; start += 250_000) wrapper.print(start, 'x'.repeat(250_000));
    await wrapper.acked(end);
    await wrapper.completed({ final_offset: end });
    wrapper.close();
    // The storage is looked at once a minute.
    vi.setSystemTime(Date.now() + 61_000);
    const next = await TestWrapper.connect(newIdentity(job));
    next.print(0, 'x');
    await next.acked(1);
    next.close();
    await moved(job);
  }
  for (const who of runs) expect((await outputRows(job, who.run)).map(({ gap }) => gap)).not.toContain(1);
  expect((await bucketKeys(job)).length).toBeGreaterThan(1);
});

test('what the bucket has lost fails a read, instead of looking like the end', async () => {
  const who = newIdentity('archive-lost');
  await endedRun(who);
  await passDay(who.job);
  await env.TEST_BUCKET.delete(await bucketKeys(who.job));
  const response = await call('GET', `/runs/${who.run}/output`);
  await expect(response.text()).rejects.toThrow();
});

test('without a bucket everything stays', async () => {
  const bindings: { OUTPUT_BUCKET?: R2Bucket } = env;
  delete bindings.OUTPUT_BUCKET;
  try {
    const who = newIdentity('archive-none');
    await endedRun(who);
    await passDay(who.job);
    expect(await streams(who)).toEqual(['stdout', 'stderr', null, 'stdout', 'stdout']);
  } finally {
    bindings.OUTPUT_BUCKET = env.TEST_BUCKET;
  }
});

test('output waits for the removal of what a removed run with its id has in the bucket, and then moves', async () => {
  const who = newIdentity('archive-blocked');
  await endedRun(who);
  const later = Date.now() + 10 * DAY_MS;
  await query(who.job, "INSERT INTO deadlines VALUES ('purge', ?, 0, ?)", who.run, later);
  vi.setSystemTime(Date.now() + DAY_MS + 1_000);
  await runDurableObjectAlarm(jobObject(who.job));
  vi.setSystemTime(Date.now() + 60);
  await runDurableObjectAlarm(jobObject(who.job));
  expect(await bucketKeys(who.job)).toEqual([]);
  expect(await deadlines(who.job, 'archive')).toBe(1);

  await query(who.job, "DELETE FROM deadlines WHERE kind = 'purge'");
  vi.setSystemTime(Date.now() + 11 * 60 * 1000);
  await moved(who.job);
  expect(await bucketKeys(who.job)).toEqual([`${who.job}/${who.run}/0`]);
});

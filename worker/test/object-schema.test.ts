import { runInDurableObject } from 'cloudflare:test';
import { expect, test } from 'vitest';
import { kill } from './support/api.ts';
import { deadlines, eventTypes, jobObject, restart } from './support/objects.ts';
import { query, sums } from './support/storage.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

test('an object from before sizes were kept learns them, and that it is to look after what it keeps', async () => {
  const who = newIdentity('schema-sizes');
  const wrapper = await TestWrapper.connect(who);
  wrapper.print(0, 'hello');
  wrapper.say({ type: 'gap', from: 5, to: 5_000 });
  await wrapper.acked(5_000);
  const expected = await sums(who.job);
  expect(expected.kept).toBe(expected.ofRows);
  await runInDurableObject(jobObject(who.job), (_object, { storage }) => {
    const undo = `DROP TABLE usage; DROP INDEX runs_by_end; DROP INDEX runs_by_end_to_trim;
      ALTER TABLE runs DROP COLUMN output_size; ALTER TABLE runs DROP COLUMN head_end;
      ALTER TABLE runs DROP COLUMN trimmed_for; DELETE FROM deadlines WHERE kind = 'retain';
      ALTER TABLE commands DROP COLUMN request_id;
      DROP INDEX runs_with_left_processes; ALTER TABLE runs DROP COLUMN successor;
      ALTER TABLE runs DROP COLUMN host; ALTER TABLE runs DROP COLUMN left_running;
      ALTER TABLE targets DROP COLUMN unnamed_survivors; ALTER TABLE runs DROP COLUMN kill_signal;
      ALTER TABLE targets DROP COLUMN acknowledged; ALTER TABLE targets DROP COLUMN marked;
      DELETE FROM migrations WHERE version >= 2`;
    storage.sql.exec(undo);
  });
  await restart(who.job);
  expect(await sums(who.job)).toEqual(expected);
  expect(await query(who.job, 'SELECT output_size, head_end FROM runs')).toEqual([
    { output_size: expected.ofRuns, head_end: 0 },
  ]);
  expect(await deadlines(who.job, 'retain')).toBe(1);
});

test('an object from before kills were acknowledged learns which are, and calls the others sent', async () => {
  const who = newIdentity('schema-kills');
  const wrapper = await TestWrapper.connect(who);
  const answered = await kill(who.job);
  wrapper.killing(answered.id, 'term');
  await wrapper.settled();
  const sent = await kill(who.job, { signal: 'SIGINT', grace_seconds: 1 });
  await runInDurableObject(jobObject(who.job), (_object, { storage }) => {
    const undo = `UPDATE targets SET state = 'delivered' WHERE state = 'sent';
      DELETE FROM events WHERE event ->> 'type' = 'kill_delivered';
      UPDATE events SET event = json_set(event, '$.type', 'kill_delivered') WHERE event ->> 'type' = 'kill_sent';
      UPDATE commands SET signal = coalesce(signal, 'SIGTERM'), grace_ms = coalesce(grace_ms, 5000);
      ALTER TABLE targets DROP COLUMN unnamed_survivors; ALTER TABLE targets DROP COLUMN acknowledged;
      ALTER TABLE runs DROP COLUMN kill_signal; ALTER TABLE targets DROP COLUMN marked;
      DELETE FROM migrations WHERE version >= 6`;
    storage.sql.exec(undo);
  });
  await restart(who.job);
  const columns = 'SELECT command, state, acknowledged, unnamed_survivors FROM targets ORDER BY command';
  expect(await query(who.job, columns)).toEqual([
    { command: answered.id, state: 'term', acknowledged: 1, unnamed_survivors: 0 },
    { command: sent.id, state: 'sent', acknowledged: 0, unnamed_survivors: 0 },
  ]);
  expect(await jobObject(who.job).command(sent.id)).toMatchObject({ signal: 'SIGINT', grace_ms: 1000 });
  const types = await eventTypes(who.job, who.run);
  expect(types.filter((type) => type.startsWith('kill_') && type !== 'kill_requested')).toEqual([
    'kill_sent',
    'kill_progress',
    'kill_sent',
  ]);
});

test('the runs that make way first, and those that left something running, are found by an index', async () => {
  const who = newIdentity('schema-plans');
  await TestWrapper.connect(who);
  const plan = async (sql: string) =>
    (await query<{ detail: string }>(who.job, `EXPLAIN QUERY PLAN ${sql}`)).map(({ detail }) => detail).join();
  expect(
    await plan('SELECT * FROM runs WHERE ended_at IS NOT NULL AND output_size > 64 ORDER BY ended_at LIMIT 1'),
  ).toContain('runs_by_end_to_trim');
  expect(await plan("SELECT * FROM runs WHERE left_running <> '[]'")).toContain('runs_with_left_processes');
  expect(await plan('SELECT * FROM runs WHERE ended_at < 1 ORDER BY ended_at LIMIT 20')).toMatch(/runs_by_end \(/);
});

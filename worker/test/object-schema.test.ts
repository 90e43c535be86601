import { runInDurableObject } from 'cloudflare:test';
import { expect, test } from 'vitest';
import { MESSAGE_COLUMNS } from '../durable/alerts/message-store.ts';
import { RULE_COLUMNS } from '../durable/alerts/rule-store.ts';
import { KILL_COLUMNS } from '../durable/job/kill-store.ts';
import { RUN_COLUMNS } from '../durable/job/run-store.ts';
import { type Columns, columnName } from '../durable/storage/table.ts';
import { alertsObject } from './support/alerts.ts';
import { query } from './support/storage.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

test('the runs that make way first, and those that left something running, are found by an index', async () => {
  const who = newIdentity('schema-plans');
  await TestWrapper.connect(who);
  const plan = async (sql: string) =>
    (await query<{ detail: string }>(who.job, `EXPLAIN QUERY PLAN ${sql}`)).map(({ detail }) => detail).join();
  const toTrim = 'ended_at IS NOT NULL AND output_size > 64';
  expect(await plan(`SELECT * FROM runs WHERE ${toTrim} ORDER BY ended_at LIMIT 1`)).toContain('runs_by_end');
  expect(await plan(`SELECT sum(output_size) FROM runs WHERE ${toTrim}`)).toContain('COVERING INDEX runs_by_end');
  expect(await plan('SELECT * FROM runs WHERE ended_at < 1 ORDER BY ended_at LIMIT 20')).toContain('runs_by_end');
  expect(await plan("SELECT * FROM runs WHERE left_running <> '[]'")).toContain('runs_with_left_processes');
  for (const condition of ['final = 0', 'final = 0 AND ended_at IS NULL ORDER BY id', 'sent_seq < seq']) {
    expect(await plan(`SELECT * FROM runs WHERE settled = 0 AND ${condition}`)).toContain('runs_unsettled');
  }
  expect(await plan('SELECT * FROM kills WHERE settled = 0 AND sent_seq < seq')).toContain('kills_unsettled');
});

const TABLE_INFO = `SELECT name, type, "notnull" = 0 AND pk = 0 AS nullable FROM pragma_table_info(?) ORDER BY name`;

function defined(columns: Columns) {
  return Object.entries(columns)
    .map(([field, { type, isNullable }]) => ({ name: columnName(field), type, nullable: Number(isNullable) }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

test.each([
  ['runs', RUN_COLUMNS],
  ['kills', KILL_COLUMNS],
])('the table %s has the columns of its definition', async (table, columns) => {
  const who = newIdentity(`schema-${table}`);
  await TestWrapper.connect(who);
  expect(await query(who.job, TABLE_INFO, table)).toEqual(defined(columns));
});

test.each([
  ['rules', RULE_COLUMNS],
  ['messages', MESSAGE_COLUMNS],
])('the table %s of the alerts object has the columns of its definition', async (table, columns) => {
  const stored = await runInDurableObject(alertsObject(), (_object, { storage: { sql } }) =>
    sql.exec(TABLE_INFO, table).toArray(),
  );
  expect(stored).toEqual(defined(columns));
});

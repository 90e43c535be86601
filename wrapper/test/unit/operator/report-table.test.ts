import { expect, test } from 'vitest';
import type { Finding } from '#protocol/report';
import { type FindingRow, findingColumns } from '../../../src/operator/report-table.ts';
import { tableLines } from '../../../src/operator/table.ts';
import { aRun } from '../../support/api-resources.ts';

const NOW = Date.parse('2026-11-01T08:00:00Z');

const FINDING: Finding = {
  kind: 'failed',
  count: 1,
  machines: ['db-1'],
  machine_count: 1,
  first_at: '2026-11-01T02:05:00Z',
  last_at: '2026-11-01T02:05:00Z',
  is_over: false,
  run: null,
  usual_ms: null,
  expectation: null,
  overdue: null,
  kill: null,
};

const CAME = '01KQ3XJ8V1B6D2T9P4M7Z5N0CA';
const OVERDUE: NonNullable<Finding['overdue']> = {
  job: 'backup',
  machine: 'db-1',
  due_at: '2026-11-01T02:00:00Z',
  state: 'late',
  since: '2026-11-01T02:05:00Z',
  judged_at: '2026-11-01T02:05:00Z',
  ended_at: '2026-11-01T06:02:01Z',
  run: CAME,
  started_at: '2026-11-01T06:02:00Z',
};

const EXPECTATION: NonNullable<Finding['expectation']> = {
  job: 'sync',
  machine: null,
  every_ms: 3_600_000,
  schedule: null,
  time_zone: null,
  late_after_ms: null,
  slow_after_ms: null,
  source: 'operator',
  state: 'missed',
  since: '2026-10-29T05:00:00Z',
  due_at: '2026-10-29T04:00:00Z',
  last_started_at: '2026-10-29T03:00:00Z',
  last_run: null,
  last_run_skipped: false,
  problem: null,
  seq: 1,
};

test('a report says what was found, where, when, and what became of it', () => {
  const rows: FindingRow[] = [
    { job: 'sync', finding: { ...FINDING, kind: 'missed', machines: [], machine_count: 0, expectation: EXPECTATION } },
    { job: 'dump', finding: { ...FINDING, count: 3, machine_count: 2 } },
    { job: 'backup', finding: { ...FINDING, kind: 'late', is_over: true, run: aRun({ id: CAME }), overdue: OVERDUE } },
    {
      job: 'mail',
      finding: { ...FINDING, kind: 'late', is_over: true, overdue: { ...OVERDUE, run: null, started_at: null } },
    },
  ];
  const inPipe = { columns: null, hasColour: false };
  const lines = tableLines(findingColumns(NOW, inPipe), rows, inPipe).slice(1);
  expect(lines.map((line) => line.split(/ {2,}/))).toEqual([
    ['missed', 'sync', '5h ago', 'was due 2026-10-29 04:00Z; last started 3d ago'],
    ['failed × 3', 'dump', 'db-1 and 1 more', '5h ago'],
    ['late (over)', 'backup', 'db-1', '5h ago', CAME, 'was due 02:00Z; came 4h 02m late at 06:02Z'],
    ['late (over)', 'mail', 'db-1', '5h ago', 'was due 02:00Z; not expected any more since 06:02Z'],
  ]);
});

import { describe, expect, test } from 'vitest';
import { machinesText } from '../src/pages/overview/row.tsx';
import { keyOf, type OverviewOptions, overviewOf, type Row } from '../src/pages/overview/rows.ts';
import type { Fleet } from '../src/state/fleet.ts';
import { machineCount, NO_LAST_ENDS } from '../src/state/last-ends.ts';
import { parseFilter } from '../src/state/text-filter.ts';
import { at, makeEnd, makeFleet, makeJob, makeLastEnd, makeRun, runId } from './make.ts';

let made = 0;
const run = (job: string, machine: string, changes = {}) => makeRun({ id: runId(++made), job, machine, ...changes });

const fleet: Fleet = makeFleet({
  runs: [run('etl', 'web-2'), run('etl', 'web-1'), run('backup', 'db-1'), run('sync', 'edge-1', { connected: false })],
  jobs: [
    makeJob({ name: 'report', recent_ends: [makeEnd({ run: runId(91), machine: 'db-2', state: 'timed_out' })] }),
    makeJob({ name: 'rotate', recent_ends: [makeEnd({ run: runId(92), machine: 'web-1' })] }),
    // It has failed on a machine on which it runs again by now.
    makeJob({ name: 'backup', recent_ends: [makeEnd({ run: runId(93), machine: 'db-1', state: 'failed' })] }),
    // It failed, and has succeeded since.
    makeJob({
      name: 'clean',
      recent_ends: [
        makeEnd({ run: runId(94), state: 'failed', ended_at: at(5) }),
        makeEnd({ run: runId(95), ended_at: at(15) }),
      ],
    }),
  ],
});

const wishes = (typed = '', changes: Partial<OverviewOptions> = {}): OverviewOptions => ({
  filter: parseFilter(typed),
  only: null,
  toggled: new Set(),
  ...changes,
});

function told(row: Row): string {
  switch (row.kind) {
    case 'section':
      return `# ${row.section} ${row.count}`;
    case 'job':
      return `${row.job.name} x${row.runs.length}`;
    case 'run':
      return `${row.job === null ? '  ' : ''}${row.run.job} ${row.run.machine}`;
    case 'idle':
      return `${row.job.name}: ${row.ends.map(({ machine, state }) => `${machine} ${state}`).join(', ')}`;
  }
}

const shown = (typed = '', changes: Partial<OverviewOptions> = {}) =>
  overviewOf(fleet, wishes(typed, changes)).rows.map(told);

test('what needs attention comes first, then what runs, then what rests, each by name', () => {
  expect(shown()).toEqual([
    '# attention 2',
    'sync edge-1',
    'report: db-2 timed_out',
    '# running 3',
    'backup db-1',
    'etl x2',
    '  etl web-1',
    '  etl web-2',
    '# idle 2',
    'clean: web-1 succeeded',
    'rotate: web-1 succeeded',
  ]);
});

describe('the filter', () => {
  test.each([
    ['etl', ['# running 2', 'etl x2', '  etl web-1', '  etl web-2']],
    ['ETL web-1', ['# running 1', 'etl web-1']],
    ['machine:db', ['# attention 1', 'report: db-2 timed_out', '# running 1', 'backup db-1']],
    ['state:timed', ['# attention 1', 'report: db-2 timed_out']],
    ['job:web', []],
    ['disconnected', ['# attention 1', 'sync edge-1']],
    ['job:', 'all'],
  ])('%s', (typed, expected) => {
    expect(shown(typed)).toEqual(expected === 'all' ? shown() : expected);
  });

  test('counts all sections, whichever is shown', () => {
    const { rows, counts } = overviewOf(fleet, wishes('', { only: 'idle' }));
    expect(rows.map(told)[0]).toBe('# idle 2');
    expect(counts).toEqual({ attention: 2, running: 3, idle: 2 });
  });
});

test('two runs with the same id, of two jobs, are two rows', () => {
  const real = run('backup', 'web-1');
  const { rows } = overviewOf(makeFleet({ runs: [real, { ...real, job: 'evil' }] }), wishes());
  expect(rows.map(told)).toHaveLength(3);
  expect(new Set(rows.map(keyOf)).size).toBe(3);
});

describe('a job of many runs', () => {
  const many = makeFleet({
    runs: Array.from({ length: 50 }, (_, n) => run('wide', `m-${String(n).padStart(2, '0')}`)),
  });

  test('is folded until somebody unfolds it', () => {
    expect(overviewOf(many, wishes()).rows.map(told)).toEqual(['# running 50', 'wide x50']);
    expect(overviewOf(many, wishes('', { toggled: new Set(['wide']) })).rows).toHaveLength(52);
  });

  test('shows by itself the few that the filter leaves', () => {
    expect(overviewOf(many, wishes('m-0')).rows).toHaveLength(12);
  });
});

describe('of a job on thirty machines whose first failed and whose others succeeded', () => {
  const ends = Array.from({ length: 30 }, (_, n) =>
    makeEnd({
      run: runId(100 + n),
      machine: `m${n}`,
      ended_at: at(n),
      ...(n === 0 && { state: 'failed', exit_code: 3 }),
    }),
  );
  const all = makeJob({ recent_ends: ends });
  const list = { jobs: [{ ...all, recent_ends: ends.slice(-20) }] };
  const listed = makeFleet(list);
  const reported = makeFleet({ runs: ends.map(({ run: id, ...end }) => makeRun({ id, ...end, seq: 9 })) });
  const rows = (fleet: Fleet, typed = '') =>
    overviewOf(fleet, wishes(typed)).rows.filter(({ kind }) => kind === 'idle');

  test.each([
    ['listed', listed],
    ['reported', reported],
  ])('the first needs attention, as %s', (_, of) => {
    expect(overviewOf(of, wishes()).counts).toEqual({ attention: 1, running: 0, idle: 0 });
    expect(rows(of)).toMatchObject([{ section: 'attention', ends: [{ machine: 'm0', state: 'failed' }], count: 1 }]);
    expect(machineCount(of.jobs.get('backup')?.lastEnds ?? NO_LAST_ENDS)).toBe(30);
    expect(machinesText(makeLastEnd({ machine: 'm0' }), 1, 30)).toBe('m0 (1 of 30)');
    expect(rows(of, 'machine:m17')).toMatchObject([{ section: 'idle', ends: [{ machine: 'm17' }] }]);
  });

  test('a later success there ends that, and all of them count', () => {
    const fixed = makeFleet(list, {
      runs: [makeRun({ id: runId(200), machine: 'm0', state: 'succeeded', final: true, ended_at: at(50) })],
    });
    expect(rows(fixed)).toMatchObject([{ section: 'idle', count: 30 }]);
  });

  test('while the first runs again it needs none, and the others rest no more', () => {
    const again = makeFleet(list, { runs: [makeRun({ id: runId(201), machine: 'm0' })] });
    expect(overviewOf(again, wishes()).counts).toEqual({ attention: 0, running: 1, idle: 0 });
  });

  test('those that a list only counts are counted', () => {
    const counts = { ...all.last_end_counts, failed: 2, succeeded: 998 };
    const vast = makeFleet({ jobs: [{ ...all, last_end_counts: counts }] });
    expect(rows(vast)).toMatchObject([{ ends: [{ machine: 'm0' }], count: 2 }]);
    expect(machineCount(vast.jobs.get('backup')?.lastEnds ?? NO_LAST_ENDS)).toBe(1_000);
  });
});

import { expect, test } from 'vitest';
import type { Run } from '#protocol/api';
import { isSelected } from '../../../src/operator/list-runs.ts';
import { LINGER_MS, WatchedRuns, type WatchFilter } from '../../../src/operator/ps/watched-runs.ts';
import { aRun } from '../../support/api-resources.ts';

const NOW = Date.parse('2026-01-31T03:10:00Z');
const OPEN: WatchFilter = { jobs: [], machines: [], instance: null, tags: [], states: [], all: false, limit: 100 };

function watched(filter: Partial<WatchFilter> = {}) {
  const runs = new WatchedRuns({ ...OPEN, ...filter });
  return {
    runs,
    take: (run: Run, nowMs = NOW) => runs.take({ value: run, raw: run }, nowMs),
    shown: (nowMs = NOW) => runs.shown(nowMs).map(({ job, state }) => `${job} ${state}`),
  };
}

const ENDED = { state: 'failed', final: true, exit_code: 3, ended_at: '2026-01-31T03:09:59.000Z' } as const;

test('of each run the version with the higher seq is shown, whichever comes first', () => {
  const { take, shown } = watched();
  const run = aRun({ seq: 5, state: 'killing' });
  expect(take(run)).toMatchObject({ before: null });
  expect(take({ ...run, seq: 4, state: 'running' })).toBeNull();
  expect(take({ ...run, seq: 5 })).toBeNull();
  expect(shown()).toEqual(['backup killing']);
  // Output grows within a version.
  expect(take({ ...run, output_bytes: 7 })).toMatchObject({ before: { output_bytes: 0 } });
});

test('a run that ends is shown for a moment; a list that is older does not bring it back', () => {
  const { take, shown } = watched();
  const run = aRun({ seq: 1 });
  take(run);
  expect(take({ ...run, ...ENDED, seq: 2 })).toMatchObject({ before: { state: 'running' } });
  expect(shown(NOW + LINGER_MS - 1)).toEqual(['backup failed']);
  expect(shown(NOW + LINGER_MS)).toEqual([]);
  expect(take(run)).toBeNull();
  expect(shown()).toEqual([]);
  // A lost run that returns is newer.
  expect(take({ ...run, seq: 3 })).not.toBeNull();
  expect(shown()).toEqual(['backup running']);
});

test('a run that has ended before anything of it was reported is news, unless that was long ago', () => {
  const { take, shown } = watched();
  expect(take(aRun({ ...ENDED, job: 'short' }))).not.toBeNull();
  expect(take(aRun({ ...ENDED, job: 'old', ended_at: '2026-01-31T03:00:00.000Z' }))).toBeNull();
  expect(shown()).toEqual(['short failed']);
});

test('lists are newest first, of the jobs, machines and instance that were asked for', () => {
  const { take, shown } = watched({ jobs: ['sync-*'], machines: ['web-*', 'db'], instance: 'i' });
  const run = { machine: 'db', instance: 'i' };
  take(aRun({ ...run, job: 'sync-old', started_at: '2026-01-31T02:00:00.000Z' }));
  take(aRun({ ...run, job: 'sync-new', machine: 'web-2' }));
  take(aRun({ ...run, job: 'backup' }));
  take(aRun({ ...run, job: 'sync-elsewhere', machine: 'mail' }));
  take(aRun({ ...run, job: 'sync-other', instance: 'j' }));
  expect(shown()).toEqual(['sync-new running', 'sync-old running']);
});

test('--state shows runs in these states, and those that leave it for a moment', () => {
  const { take, shown } = watched({ states: ['failed'] });
  const run = aRun({ seq: 1 });
  expect(take(run)).toBeNull();
  expect(take({ ...run, ...ENDED, seq: 2 })).not.toBeNull();
  expect(shown(NOW + LINGER_MS)).toEqual(['backup failed']);
});

test('--all keeps the newest', () => {
  const { take, shown } = watched({ all: true, limit: 2 });
  for (const hour of ['03', '05', '04']) take(aRun({ job: `at-${hour}`, started_at: `2026-01-31T${hour}:00:00.000Z` }));
  expect(shown()).toEqual(['at-05 running', 'at-04 running']);
  expect(take(aRun({ job: 'at-01', started_at: '2026-01-31T01:00:00.000Z' }))).toBeNull();
});

test('a run that was deleted is not shown, and another with its id is', () => {
  const { take, shown, runs } = watched();
  const run = aRun({ seq: 5 });
  take(run);
  runs.remove(run.job, run.id, 4);
  expect(shown()).toHaveLength(1);
  runs.remove(run.job, run.id, 5);
  expect(shown()).toEqual([]);
  expect(take({ ...run, seq: 5 })).toBeNull();
  expect(take({ ...run, seq: 6 })).not.toBeNull();
});

test('a run is selected by any of the tags that are asked for', () => {
  const about = { tags: ['nightly'], owner: null, runbook: null, note: null };
  const isShown = (tags: string[], run: Run) => isSelected({ jobs: [], machines: [], instance: null, tags }, run);
  expect(isShown([], aRun())).toBe(true);
  expect(isShown(['nightly', 'hourly'], aRun({ about }))).toBe(true);
  expect(isShown(['hourly'], aRun({ about }))).toBe(false);
  expect(isShown(['hourly'], aRun())).toBe(false);
});

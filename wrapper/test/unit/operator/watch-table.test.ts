import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Run } from '#protocol/api';
import { RunsTable } from '../../../src/operator/ps/runs-view.ts';
import type { WatchStatus } from '../../../src/operator/ps/runs-watcher.ts';
import { watchTableLines } from '../../../src/operator/ps/watch-table.ts';
import { aRun } from '../../support/api-resources.ts';
import { FakeScreen } from '../../support/fake-screen.ts';

const STARTED = '2026-01-31T03:00:00.000Z';
const NOW = Date.parse('2026-01-31T03:00:05Z');
const LIVE: WatchStatus = { kind: 'live' };
const id = (end: string) => `01KB7Q0000AAAAAAAA${end.padStart(8, '0')}`;

const RUNS: Run[] = [
  aRun({ id: id('1'), job: 'sync', instance: 'sync_1', machine: 'web-1.example.com', started_at: STARTED }),
  aRun({
    id: id('2'),
    state: 'failed',
    final: true,
    exit_code: 3,
    started_at: STARTED,
    ended_at: '2026-01-31T03:00:02.000Z',
  }),
  aRun({ id: id('3'), connected: false, started_at: '2026-01-31T02:00:05.000Z' }),
];

function lines(fields: { runs?: Run[]; status?: WatchStatus; height?: number; columns?: number } = {}) {
  const { runs = RUNS, status = LIVE, height = 24, columns = 80 } = fields;
  return watchTableLines({ runs, status, nowMs: NOW }, { columns, hasColour: false }, height);
}

test('runs are shown with their age, and how they have ended', () => {
  expect(lines({ columns: 100 })).toEqual([
    'RUN       STATE                   JOB     MACHINE                AGE  COMMAND',
    '00000001  running                 sync    web-1.example.com       5s  backup --all',
    '00000002  failed (exit 3)         backup  m1                      2s  backup --all',
    '00000003  running (disconnected)  backup  m1                      1h  backup --all',
    '2 runs · Ctrl-C ends',
  ]);
});

test('what the screen has no room for is counted', () => {
  const many = Array.from({ length: 30 }, (_, index) => aRun({ id: id(String(index)) }));
  const shown = lines({ runs: many, height: 10 });
  expect(shown).toHaveLength(10);
  expect(shown.at(-1)).toBe('and 22 more · 30 runs · Ctrl-C ends');
  expect(lines({ runs: many, height: 1 })).toEqual(['and 30 more · 30 runs · Ctrl-C ends']);
  expect(lines({ runs: [] })).toEqual(['no runs · Ctrl-C ends']);
});

test('the last line says that nothing is reported, and since when', () => {
  const status = { kind: 'reconnecting', why: 'the connection was closed', sinceMs: NOW - 12_000 } as const;
  expect(lines({ status }).at(-1)).toBe('2 runs · as of 12s ago, reconnecting: the connection was closed');
  expect(lines({ status: { kind: 'polling', why: 'the proxy refuses\u001b' } }).at(-1)).toBe(
    '2 runs · updated every 5 s, because the proxy refuses<U+001B>',
  );
});

describe('on a screen', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: NOW });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function table(screen: FakeScreen, runs: Run[]) {
    const view = new RunsTable({ screen, hasColour: false, shown: () => runs, now: () => Date.now() });
    return view;
  }

  test('the table is redrawn in place: ages tick, and a burst of changes is drawn once', () => {
    const screen = new FakeScreen(80, 24);
    const runs = [...RUNS];
    const view = table(screen, runs);
    view.changed();
    view.status(LIVE);
    vi.advanceTimersByTime(100);
    expect(screen.lines).toHaveLength(5);
    expect(screen.hasCursor).toBe(false);
    expect(screen.writes).toBe(1);

    runs.pop();
    for (let change = 0; change < 50; change += 1) view.changed();
    vi.advanceTimersByTime(100);
    expect(screen.writes).toBe(2);
    expect(screen.lines).toHaveLength(4);

    vi.advanceTimersByTime(1_000);
    expect(screen.lines[1]).toContain(' 6s ');
    expect(screen.lines.at(-1)).toBe('1 run · Ctrl-C ends');

    view.close();
    expect(screen.hasCursor).toBe(true);
    const { writes } = screen;
    vi.advanceTimersByTime(5_000);
    expect(screen.writes).toBe(writes);
  });

  test('nothing is written while nothing changes', () => {
    const screen = new FakeScreen(80, 24);
    const view = table(screen, []);
    view.status(LIVE);
    vi.advanceTimersByTime(10_000);
    expect(screen.writes).toBe(1);
    expect(screen.lines).toEqual(['no runs · Ctrl-C ends']);
    view.close();
  });

  test('a window that becomes smaller or larger has as much of the table as fits', () => {
    const screen = new FakeScreen(80, 24);
    const many = Array.from({ length: 30 }, (_, index) =>
      aRun({ id: id(String(index)), command_line: 'x'.repeat(200) }),
    );
    const view = table(screen, many);
    view.status(LIVE);
    vi.advanceTimersByTime(100);
    expect(screen.lines.at(-1)).toBe('and 9 more · 30 runs · Ctrl-C ends');
    screen.rows = 40;
    screen.columns = 140;
    view.resized();
    vi.advanceTimersByTime(100);
    expect(screen.lines.at(-1)).toBe('30 runs · Ctrl-C ends');
    expect(screen.lines[1]).toHaveLength(140);
    view.close();
  });
});

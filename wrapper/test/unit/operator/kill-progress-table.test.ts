import { expect, test } from 'vitest';
import { displayWidth } from '../../../src/operator/display-width.ts';
import { KillProgress } from '../../../src/operator/kill/progress.ts';
import { headerLine, layoutTable, type ProgressRow, rowLine } from '../../../src/operator/kill/progress-table.ts';
import { aKill, aTarget } from '../../support/api-resources.ts';

const timing = { sent_ms: 12, received_ms: 20, first_signal_ms: 31, last_process_gone_ms: null };
const TARGETS = [
  aTarget({ machine: 'web-1.example.com', state: 'pending' }),
  aTarget({ machine: 'web-2.example.com', state: 'sent', timing: { ...timing, first_signal_ms: null } }),
  aTarget({ machine: 'web-3.example.com', state: 'term', signal: 'SIGTERM', timing }),
  aTarget({ machine: 'web-4.example.com', state: 'kill', signal: 'SIGTERM', timing }),
  aTarget({
    machine: 'web-5.example.com',
    state: 'gone',
    exit_code: 143,
    signal: 'SIGTERM',
    timing: { ...timing, last_process_gone_ms: 65_000 },
  }),
  aTarget({ machine: 'db-1.example.com', state: 'gone', survivors: [4711, 4712], signal: 'SIGTERM', timing }),
  aTarget({ machine: 'db-2.example.com', state: 'refused' }),
  aTarget({ machine: 'db-3.example.com', state: 'lost', timing: { ...timing, first_signal_ms: null } }),
];

function rows(fields: Partial<ProgressRow> = {}): ProgressRow[] {
  const progress = new KillProgress();
  progress.take(aKill({ targets: TARGETS }), 2_100);
  return progress.targets.map((target) => ({
    job: 'backup',
    machine: target.machine,
    run: target.run,
    signal: 'SIGTERM',
    graceMs: 5_000,
    target,
    ...fields,
  }));
}

function table(all: readonly ProgressRow[], columns: number): string[] {
  const layout = layoutTable(all, columns);
  const terminal = { columns, hasColour: false };
  return [headerLine(layout, terminal), ...all.map((row) => rowLine(row, layout, 2_100, terminal))];
}

test('shows each step with its time, and what is being waited for', () => {
  const requested = { ...(rows()[0] as ProgressRow), machine: 'web-0.example.com', run: '0', target: null };
  expect(table([requested, ...rows()], 100)).toEqual([
    'MACHINE            SENT    SIGTERM  SIGKILL  ENDED   RESULT',
    'web-0.example.com                                    requested',
    'web-1.example.com                                    disconnected; waiting for it',
    'web-2.example.com  12ms                              waiting for its answer',
    'web-3.example.com  12ms    31ms                      SIGKILL in 3s',
    'web-4.example.com  12ms    31ms     2.1s             waiting for its processes',
    'web-5.example.com  12ms    31ms              1m 05s  exit code 143',
    'db-1.example.com   12ms    31ms                      pid 4711, 4712 survive',
    'db-2.example.com                                     had already ended',
    'db-3.example.com   12ms                              lost, may still run',
  ]);
});

test.each([80, 100, 140])(
  'fits into %i columns, also with long names, several jobs and several runs on a machine',
  (columns) => {
    const [one] = rows();
    if (one === undefined) throw new Error('there are rows');
    const long = 'machine-with-a-very-long-name.rack-17.datacenter-frankfurt.example.com';
    const all = [
      ...rows(),
      { ...one, job: 'a-job-with-a-rather-long-name', machine: long },
      { ...one, run: '01ABCDEFGH' },
    ];
    const lines = table(all, columns);
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(columns);
    expect(lines[0]).toMatch(/^JOB +MACHINE +RUN /);
  },
);

test('has one column for SIGKILL when it is the first signal', () => {
  const forced = [{ ...(rows()[0] as ProgressRow), signal: 'SIGKILL', target: null }];
  expect(table(forced, 80)[0]).toBe('MACHINE            SENT    SIGKILL  ENDED   RESULT');
});

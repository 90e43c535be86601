/** Runs that end by themselves: the command's own exit code passes through; a missing command has an exit code of its own. */
import type { Scenario } from '../scenario.ts';

export const exits: readonly Scenario[] = [
  {
    title: 'A command that succeeds: 0',
    job: 'backup',
    machine: 'db-1.example.com',
    command: [
      'sh',
      '-c',
      'for t in users orders invoices; do echo "dumping $t"; sleep 0.4; done; echo done; sleep 0.2',
    ],
    expect: {
      state: 'succeeded',
      exitCode: 0,
      wrapperExit: 0,
      events: ['started', 'ended'],
      output: ['dumping users', 'dumping orders', 'dumping invoices', 'done'],
    },
  },
  {
    title: 'A command that fails: its own code',
    job: 'import',
    machine: 'web-1.example.com',
    command: [
      'sh',
      '-c',
      'echo "reading prices.csv"; sleep 0.4; echo "line 7: no such currency" >&2; sleep 0.2; exit 3',
    ],
    expect: {
      state: 'failed',
      exitCode: 3,
      wrapperExit: 3,
      events: ['started', 'ended'],
      output: ['reading prices.csv', 'line 7: no such currency'],
    },
  },
  {
    title: 'A command that does not exist: 255',
    job: 'typo',
    machine: 'web-1.example.com',
    command: ['/opt/tools/reindxe', '--all'],
    expect: { state: 'errored', exitCode: 255, wrapperExit: 255, events: ['started', 'ended'], output: [] },
  },
];

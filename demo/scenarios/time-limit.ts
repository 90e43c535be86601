/** The wrapper's own limit, kept on the machine: it needs no control plane. */
import type { Scenario } from '../scenario.ts';

export const timeLimit: Scenario = {
  title: 'A command that takes too long: 124',
  job: 'report',
  machine: 'web-2.example.com',
  flags: ['--timeout', '1500ms'],
  command: ['sh', '-c', 'echo "waiting for a lock"; sleep 600'],
  expect: {
    state: 'timed_out',
    exitCode: 124,
    wrapperExit: 124,
    events: ['started', 'term', 'gone', 'ended'],
    output: ['waiting for a lock'],
  },
};

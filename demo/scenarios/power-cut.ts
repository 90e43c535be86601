/** A machine that is gone from one moment to the next: nobody is left to report, so the control plane must notice. */
import type { Scenario } from '../scenario.ts';

export const powerCut: Scenario = {
  title: 'A machine that loses power: 253',
  job: 'nightly',
  machine: 'edge-7.example.com',
  command: ['sh', '-c', 'n=0; while :; do n=$((n + 1)); echo "page $n"; sleep 0.3; done'],
  act: async ({ narrator, wrapper, run, line }) => {
    await line('page 2');
    narrator.event(run.machine, 'loses power: the wrapper and its command are gone', 'signal');
    wrapper.losePower();
  },
  expect: {
    state: 'lost',
    exitCode: 253,
    wrapperExit: null,
    events: ['started', 'disconnected', 'lost'],
    output: ['page 1', 'page 2'],
  },
  verify: ({ checks }, { run }) => {
    checks.that('it stays open whether it comes back', !run.final);
  },
};

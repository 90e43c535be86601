/** A machine that loses power: nothing is left to report it, so the control plane must notice. */
import type { Scenario } from '../scenario.ts';

export const powerCut: Scenario = {
  title: 'A machine that loses power: 253',
  job: 'nightly',
  machine: 'edge-7.example.com',
  command: ['sh', '-c', 'n=0; while :; do n=$((n + 1)); echo "page $n"; sleep 0.3; done'],
  act: async ({ reporter, wrapper, run, line }) => {
    await line('page 2');
    reporter.event(run.machine, 'loses power: the wrapper and its command end at once', 'signal');
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
    checks.that('the run is not final: it could still reconnect', !run.final);
  },
};

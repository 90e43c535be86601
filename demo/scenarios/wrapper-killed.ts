/** The wrapper itself is killed, by the OOM killer say: the command runs on, and it stays in reach. */
import { waitFor } from '#testing/wait-for';
import { eventName, type Scenario, type Scene } from '../scenario.ts';
import { killNow } from './kills.ts';

export const wrapperKilled: Scenario = {
  title: 'The wrapper is killed with SIGKILL, and the run is stopped all the same: 143',
  job: 'archive',
  machine: 'db-2.example.com',
  command: ['sh', '-c', 'n=0; while :; do n=$((n + 1)); echo "part $n"; sleep 0.3; done'],
  act: async (scene) => {
    await scene.line('part 2');
    scene.narrator.event(scene.run.machine, 'the wrapper gets SIGKILL; the command does not', 'signal');
    scene.wrapper.signal('SIGKILL');
    await adopted(scene);
    await killNow(scene, { graceSeconds: 5 });
  },
  expect: {
    state: 'killed',
    exitCode: 143,
    wrapperExit: null,
    events: ['started', 'adopted', 'kill_requested', 'kill_delivered', 'term', 'gone', 'ended'],
    output: ['part 1', 'part 2', 'part 3'],
  },
  verify: ({ checks }, { events, output }) => {
    checks.that('no output is missing', !events.some(({ type }) => type === 'output_gap') && isCounted(output), output);
    checks.that('it was never lost', !events.some(({ type }) => type === 'lost'));
  },
};

async function adopted({ stage, run, checks, line }: Scene): Promise<void> {
  await waitFor('a successor', async () =>
    (await stage.operator.events(run.id)).some((event) => eventName(event) === 'adopted'),
  );
  const { state } = await stage.operator.run(run.id);
  checks.equal('the run is still running', state, 'running');
  const lines = (await stage.operator.output(run.id)).text.split('\n').length;
  await line(`part ${lines + 1}`);
  checks.that('and its output goes on', true);
}

/** Whether the lines are those of the command, each once. */
function isCounted(output: string): boolean {
  const lines = output.trimEnd().split('\n');
  return lines.every((text, index) => text === `part ${index + 1}`);
}

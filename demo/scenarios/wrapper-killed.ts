/** The wrapper itself is killed, as by the OOM killer: the command keeps running, and can still be killed. */
import { waitFor } from '#testing/wait-for';
import { eventName, type Scenario, type ScenarioContext } from '../scenario.ts';
import { killNow } from './kills.ts';

export const wrapperKilled: Scenario = {
  title: 'A wrapper that gets SIGKILL, and whose run can still be killed: 143',
  job: 'archive',
  machine: 'db-2.example.com',
  command: ['sh', '-c', 'n=0; while :; do n=$((n + 1)); echo "part $n"; sleep 0.3; done'],
  act: async (context) => {
    await context.line('part 2');
    context.reporter.event(context.run.machine, 'the wrapper gets SIGKILL; the command does not', 'signal');
    context.wrapper.signal('SIGKILL');
    await adopted(context);
    await killNow(context, { graceSeconds: 5 });
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

async function adopted({ environment, run, checks, line }: ScenarioContext): Promise<void> {
  await waitFor('a successor', async () =>
    (await environment.operator.events(run.id)).some((event) => eventName(event) === 'adopted'),
  );
  const { state } = await environment.operator.run(run.id, run.job);
  checks.equal('the run is still running', state, 'running');
  const lines = (await environment.operator.output(run.id)).text.split('\n').length;
  await line(`part ${lines + 1}`);
  checks.that('its output continues', true);
}

/** Whether the output has each of the command's lines once. */
function isCounted(output: string): boolean {
  const lines = output.trimEnd().split('\n');
  return lines.every((text, index) => text === `part ${index + 1}`);
}

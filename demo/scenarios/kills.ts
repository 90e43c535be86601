/** An operator's kill over HTTPS: SIGTERM to everything the command has started, SIGKILL to whatever is left after the grace. */
import { groupMembers } from '../../scripts/local/process-group.ts';
import type { Scenario, ScenarioContext } from '../scenario.ts';

const WAIT_SECONDS = 15;

export const killByTerm: Scenario = {
  title: 'A kill over HTTPS, for which SIGTERM is enough: 143',
  job: 'etl',
  machine: 'db-2.example.com',
  command: ['sh', '-c', 'n=0; while :; do n=$((n + 1)); echo "row $n"; sleep 0.3; done'],
  act: (context) => killAfter(context, 'row 3', { graceSeconds: 5 }),
  expect: {
    state: 'killed',
    exitCode: 143,
    wrapperExit: 143,
    events: ['started', 'kill_requested', 'kill_sent', 'kill_delivered', 'term', 'gone', 'ended'],
    output: ['row 1', 'row 2', 'row 3'],
  },
  verify: ({ checks }, { events }) => {
    const phases = events.filter((event) => event.type === 'kill_progress').map((event) => event.phase);
    checks.that('no SIGKILL was needed', !phases.includes('kill'));
  },
};

/** `trap ""` ignores a signal, and what a shell ignores its children ignore too. */
const IGNORES_TERM = 'trap "" TERM; (while :; do sleep 1; done) & echo "ignoring SIGTERM"; while :; do sleep 1; done';

export const killByKill: Scenario = {
  title: 'A command that ignores SIGTERM, as does its child: SIGKILL, 143',
  job: 'stubborn',
  machine: 'db-2.example.com',
  command: ['sh', '-c', IGNORES_TERM],
  act: (context) => killAfter(context, 'ignoring SIGTERM', { graceSeconds: 1 }),
  expect: {
    state: 'killed',
    exitCode: 143,
    wrapperExit: 143,
    events: ['started', 'kill_requested', 'kill_sent', 'kill_delivered', 'term', 'kill', 'gone', 'ended'],
    output: ['ignoring SIGTERM'],
  },
};

async function killAfter(context: ScenarioContext, line: string, grace: { graceSeconds: number }): Promise<void> {
  await context.line(line);
  await killNow(context, grace);
}

/** Kills the run by its job, and checks the response against the machine. */
export async function killNow(
  { environment, reporter, checks, run }: ScenarioContext,
  { graceSeconds }: { graceSeconds: number },
): Promise<void> {
  const before = run.pid === null ? [] : groupMembers(run.pid);
  checks.that(
    `the machine shows ${before.length} processes in the command's group`,
    before.length >= 2,
    describe(before),
  );
  reporter.event('operator', `POST /api/v1/jobs/${run.job}/kill?wait=${WAIT_SECONDS}`, 'command');
  const { status, kill } = await environment.operator.kill(
    run.job,
    { grace_seconds: graceSeconds, reason: 'demo' },
    WAIT_SECONDS,
  );
  const [target] = kill.targets;
  reporter.event('operator', `response ${status}: ${kill.state}, ${target?.state}, exit code ${target?.exit_code}`);
  checks.equal('the response came once the kill was settled', `${status} ${kill.state}`, '200 settled');
  checks.equal('it has the exit code', target?.exit_code, 143);
  const after = run.pid === null ? [] : groupMembers(run.pid);
  checks.that('no process of the group is left on the machine', after.length === 0, describe(after));
}

function describe(pids: readonly number[]): string {
  return pids.length === 0 ? 'no process' : `processes ${pids.join(', ')}`;
}

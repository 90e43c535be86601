/** Runs one scenario: watches the job as a viewer does, runs the command, lets the scenario act, and checks how it ended. */
import type { WrapperProcess } from '../scripts/local/wrapper-process.ts';
import type { Checks } from './checks.ts';
import type { DemoEnvironment } from './demo-environment.ts';
import type { Reporter } from './reporter.ts';
import { eventName, type Scenario, type ScenarioResult } from './scenario.ts';
import { Viewer } from './viewer.ts';

export async function runScenario(
  scenario: Scenario,
  environment: DemoEnvironment,
  reporter: Reporter,
  checks: Checks,
): Promise<void> {
  reporter.scenario(scenario.title);
  const viewer = await Viewer.open(scenario.job, environment, reporter);
  try {
    const flags = scenario.flags ?? [];
    reporter.event(scenario.machine, commandLine(scenario), 'command');
    const wrapper = environment.run({ job: scenario.job, machine: scenario.machine, command: scenario.command, flags });
    const run = await viewer.firstRun(wrapper);
    if (run.pid !== null) wrapper.note(run.pid);
    const context = { environment, reporter, checks, wrapper, run, line: (text: string) => viewer.line(text) };
    await scenario.act?.(context);
    const end = await viewer.end(run.id);
    await check(scenario, wrapper, end, viewer, reporter, checks);
    scenario.verify?.(context, end);
  } finally {
    viewer.close();
  }
}

async function check(
  { job, machine, expect, act }: Scenario,
  wrapper: WrapperProcess,
  { run, events, output }: ScenarioResult,
  viewer: Viewer,
  reporter: Reporter,
  checks: Checks,
): Promise<void> {
  const exit = await wrapper.exit;
  const exitText = exit.code === null ? `was killed by ${exit.signal}` : `exited with ${exit.code}`;
  reporter.event(machine, `the wrapper ${exitText}`);
  checks.equal(`the state of ${job} is ${expect.state}`, run.state, expect.state);
  checks.equal(`its exit code is ${expect.exitCode}`, run.exit_code, expect.exitCode);
  if (expect.wrapperExit !== null) {
    checks.equal(`leash run exited with ${expect.wrapperExit}`, exit.code, expect.wrapperExit);
  }
  const names = events.map(eventName);
  checks.that(
    `its events include ${expect.events.join(' → ')}`,
    isInOrder(expect.events, names),
    `found ${names.join(' → ')}`,
  );
  if (expect.output.length > 0) {
    // A command that ends by itself may be over before its wrapper has connected.
    if (act !== undefined)
      checks.that('its output arrived while it ran', viewer.sawOutputWhileRunning, 'no output came before the end');
    checks.that('its output is stored', isInOrder(expect.output, output.split('\n')), JSON.stringify(output));
  }
}

/** Whether `wanted` occurs in `found` in this order, other things in between or not. */
function isInOrder(wanted: readonly string[], found: readonly string[]): boolean {
  let next = 0;
  for (const item of found) if (item === wanted[next]) next += 1;
  return next === wanted.length;
}

/** As a user would type it. */
function commandLine({ job, flags = [], command }: Scenario): string {
  const quoted = command.map((word) => (/^[A-Za-z0-9_./=:-]+$/.test(word) ? word : `'${word}'`));
  return ['$ leash run --job', job, ...flags, '--', ...quoted].join(' ');
}

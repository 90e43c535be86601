/** Plays one scene: follows the job as a viewer does, runs the command, lets the scene act, and checks how it ended. */
import type { WrapperProcess } from '../scripts/local/wrapper-process.ts';
import type { Checks } from './checks.ts';
import type { Narrator } from './narrator.ts';
import { eventName, type Scenario, type SceneEnd } from './scenario.ts';
import type { Stage } from './stage.ts';
import { Viewer } from './viewer.ts';

export async function play(scenario: Scenario, stage: Stage, narrator: Narrator, checks: Checks): Promise<void> {
  narrator.chapter(scenario.title);
  const viewer = await Viewer.open(scenario.job, stage, narrator);
  try {
    const flags = scenario.flags ?? [];
    narrator.event(scenario.machine, commandLine(scenario), 'command');
    const wrapper = stage.run({ job: scenario.job, machine: scenario.machine, command: scenario.command, flags });
    const run = await viewer.firstRun(wrapper);
    if (run.pid !== null) wrapper.note(run.pid);
    const scene = { stage, narrator, checks, wrapper, run, line: (text: string) => viewer.line(text) };
    await scenario.act?.(scene);
    const end = await viewer.end(run.id);
    await check(scenario, wrapper, end, viewer, narrator, checks);
    scenario.verify?.(scene, end);
  } finally {
    viewer.close();
  }
}

async function check(
  { job, machine, expect }: Scenario,
  wrapper: WrapperProcess,
  { run, events, output }: SceneEnd,
  viewer: Viewer,
  narrator: Narrator,
  checks: Checks,
): Promise<void> {
  const exit = await wrapper.exit;
  const exitText = exit.code === null ? `was ended by ${exit.signal}` : `exited with ${exit.code}`;
  narrator.event(machine, `the wrapper ${exitText}`);
  checks.equal(`the state of ${job} is ${expect.state}`, run.state, expect.state);
  checks.equal(`its exit code is ${expect.exitCode}`, run.exit_code, expect.exitCode);
  if (expect.wrapperExit !== null) {
    checks.equal(`leash run exited with ${expect.wrapperExit}`, exit.code, expect.wrapperExit);
  }
  const names = events.map(eventName);
  checks.that(`it went ${expect.events.join(' → ')}`, isInOrder(expect.events, names), `found ${names.join(' → ')}`);
  if (expect.output.length > 0) {
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

/** As one would type it. */
function commandLine({ job, flags = [], command }: Scenario): string {
  const quoted = command.map((word) => (/^[A-Za-z0-9_./=:-]+$/.test(word) ? word : `'${word}'`));
  return ['$ leash run --job', job, ...flags, '--', ...quoted].join(' ');
}

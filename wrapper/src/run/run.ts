/** `leash run`: one command, from its start to the moment its end is told, or kept to be told later. */
import { performance } from 'node:perf_hooks';
import { readConfigFile, withConfig } from '../config/config-file.ts';
import { configure } from '../config/control-plane.ts';
import { LocalSignals } from '../host/local-signals.ts';
import { keepMemorySmall } from '../host/v8-flags.ts';
import { commandEnvironment } from '../launch/command-environment.ts';
import { takeLaunchState } from '../launch/launch-state.ts';
import { prepareOutput, startCommand } from '../launch/start-command.ts';
import { openLog } from '../logging/log.ts';
import { openOwnOutput, passOnTheRest } from '../output/own-output.ts';
import { createCgroup } from '../processes/cgroup.ts';
import { redactLine } from '../redact/redactor.ts';
import { type Detachment, leaveInBackground } from './detach.ts';
import { standBy } from './fallback-supervisor.ts';
import { newRunId } from './identity.ts';
import { chooseRules, hideTokenFile } from './redaction.ts';
import type { RunArgs } from './run-args.ts';
import { assemble, type Birth } from './run-context.ts';
import { superviseToItsEnd } from './supervise.ts';

/**
 * Runs the command and supervises it.
 *
 * @param detachment what a `leash run --detach` that started this one left for it; null in the foreground
 * @returns the exit code to leave with; everything else has been done by then
 */
export async function run(args: RunArgs, detachment: Detachment | null, version: string): Promise<number> {
  const launch = { ...takeLaunchState(process.env), ...detachment };
  if (args.detach && detachment === null) return leaveInBackground(args, launch);
  const signals = new LocalSignals(launch.ignoredSignals);
  keepMemorySmall();
  const birth = await start(args, version, detachment?.run ?? newRunId(), launch);
  const { own, log } = birth;

  let exitCode: number;
  let wasEnded = false;
  try {
    const parts = assemble(birth);
    const end = await superviseToItsEnd(parts, signals);
    exitCode = end.exitCode;
    wasEnded = end.reason !== 'exited';
    parts.guardian?.dismiss();
    parts.journal?.remove();
  } catch (error) {
    exitCode = await standBy(error, birth, signals);
  }
  await passOnTheRest(own, wasEnded, signals, log);
  await log.drained();
  return exitCode;
}

/** Starts the command, before anything that it does not need. */
async function start(args: RunArgs, version: string, run: string, launch: Birth['launch']): Promise<Birth> {
  const pipes = prepareOutput(args.merge);
  const own = openOwnOutput(args.quiet);
  const config = readConfigFile(process.env);
  const settings = withConfig(process.env, config.values);
  const configuration = configure(args, settings);
  const env = commandEnvironment(launch.environment, run, args.env);
  const token = configuration.kind === 'supervised' ? configuration.controlPlane.token : null;
  const chosen = chooseRules(args.redaction, env, token, settings);
  const { rules, ownRules, problem } = chosen;
  const log = openLog({
    sink: own.lines,
    verbose: args.verbose,
    file: args.logFile ?? settings.LEASH_LOG ?? null,
    label: `${args.job} ${run}`,
    redact: (line) => redactLine(ownRules, line),
  });
  const cgroup = createCgroup();
  const startedAt = new Date();
  const since = performance.now();
  const age = () => performance.now() - since;
  const { command, cwd, user, merge } = args;
  const joinFile = cgroup?.joinFile ?? null;
  const started = await startCommand({ command, env, cwd, user, merge, joinFile, launch }, pipes);
  await hideTokenFile(chosen, args.redaction, token);
  for (const line of config.problems) log.warn(line);
  if (problem !== null) log.warn(problem);
  return { args, version, run, startedAt, age, launch, settings, configuration, rules, cgroup, own, log, started };
}

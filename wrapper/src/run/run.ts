/** `leash run`: one command, from its start until its end is reported, or kept to be reported later. */
import { performance } from 'node:perf_hooks';
import { readConfigFile, withConfig } from '../config/config-file.ts';
import { configure } from '../config/control-plane.ts';
import { LocalSignals } from '../host/local-signals.ts';
import { keepMemorySmall } from '../host/v8-flags.ts';
import { commandEnvironment } from '../launch/command-environment.ts';
import { extractLaunchState } from '../launch/launch-state.ts';
import { prepareOutput, startCommand } from '../launch/start-command.ts';
import { openLog } from '../logging/log.ts';
import { forwardRemaining, openOwnOutput } from '../output/own-output.ts';
import { createCgroup } from '../processes/cgroup.ts';
import { redactLine } from '../redact/redactor.ts';
import { type Detachment, startInBackground } from './detach.ts';
import { superviseWithLeast } from './fallback-supervisor.ts';
import { newRunId } from './identity.ts';
import { chooseRules, hideTokenFile } from './redaction.ts';
import { createRunContext, type LaunchedRun } from './run-context.ts';
import type { RunOptions } from './run-options.ts';
import { superviseRun } from './supervise.ts';

/**
 * Runs the command and supervises it.
 *
 * @param detachment what the `leash run --detach` that started this process has handed over; null in the foreground
 * @returns the exit code; everything else has been done by then
 */
export async function run(options: RunOptions, detachment: Detachment | null, version: string): Promise<number> {
  const launch = { ...extractLaunchState(process.env), ...detachment };
  if (options.detach && detachment === null) return startInBackground(options, launch);
  const signals = new LocalSignals(launch.ignoredSignals);
  if (options.splayMs !== null) {
    const { delayStart } = await import('./splay.ts');
    const delayed = await delayStart(options, options.splayMs, signals);
    if (delayed.kind === 'ended') return delayed.exitCode;
    return runNow(delayed.options, detachment, version, launch, signals);
  }
  return runNow(options, detachment, version, launch, signals);
}

async function runNow(
  options: RunOptions,
  detachment: Detachment | null,
  version: string,
  launch: LaunchedRun['launch'],
  signals: LocalSignals,
): Promise<number> {
  const launched = await launchCommand(options, version, detachment?.run ?? newRunId(), launch);
  keepMemorySmall();
  const { own, log } = launched;

  let exitCode: number;
  let wasEnded = false;
  try {
    const context = createRunContext(launched);
    const end = await superviseRun(context, signals);
    exitCode = end.exitCode;
    wasEnded = end.reason !== 'exited';
    context.guardian?.dismiss();
    context.journal?.remove();
  } catch (error) {
    exitCode = await superviseWithLeast(error, launched, signals);
  }
  await forwardRemaining(own, wasEnded, signals, log);
  await log.drained();
  return exitCode;
}

/** Starts the command before anything that the start doesn't need. */
async function launchCommand(
  options: RunOptions,
  version: string,
  run: string,
  launch: LaunchedRun['launch'],
): Promise<LaunchedRun> {
  const pipes = prepareOutput(options.merge);
  const own = openOwnOutput(options.quiet);
  const config = readConfigFile(process.env);
  const settings = withConfig(process.env, config.values);
  const configuration = configure(options, settings);
  const env = commandEnvironment(launch.environment, run, options.env);
  const token = configuration.kind === 'supervised' ? configuration.controlPlane.token : null;
  const chosen = chooseRules(options.redaction, env, token, settings);
  const { rules, ownRules, problem } = chosen;
  const log = openLog({
    sink: own.lines,
    verbose: options.verbose,
    file: options.logFile ?? settings.LEASH_LOG ?? null,
    label: `${options.job} ${run}`,
    redact: (line) => redactLine(ownRules, line),
  });
  const cgroup = createCgroup();
  const startedAt = new Date();
  const since = performance.now();
  const age = () => performance.now() - since;
  const { command, cwd, user, merge } = options;
  const joinFile = cgroup?.joinFile ?? null;
  const started = await startCommand({ command, env, cwd, user, merge, joinFile, launch }, pipes);
  await hideTokenFile(chosen, options.redaction, token);
  for (const line of config.problems) log.warn(line);
  if (problem !== null) log.warn(problem);
  return { options, version, run, startedAt, age, launch, settings, configuration, rules, cgroup, own, log, started };
}

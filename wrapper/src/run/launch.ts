/** Prepares a run and starts its command, before anything that the start doesn't need. */
import { performance } from 'node:perf_hooks';
import type { AskingLink } from '../ask/asking-link.ts';
import { readConfigFile, withConfig } from '../config/config-file.ts';
import { configure, type TokenSource } from '../config/control-plane.ts';
import { commandEnvironment } from '../launch/command-environment.ts';
import type { LaunchState } from '../launch/launch-state.ts';
import { startCommand } from '../launch/start-command.ts';
import { openLog } from '../logging/log.ts';
import type { MadeFifos } from '../output/output-pipe.ts';
import { openOwnOutput } from '../output/own-output.ts';
import { createCgroup } from '../processes/cgroup.ts';
import { redactLine } from '../redact/redactor.ts';
import { readWaitedFor } from '../usage/process-figures.ts';
import { chooseRules, hideTokenFile } from './redaction.ts';
import type { LaunchedRun, PreparedRun, Withheld } from './run-context.ts';
import type { RunOptions } from './run-options.ts';

/** Reads the settings, and opens what the run logs to. Starts nothing, and waits for nothing. */
export function prepareRun(options: RunOptions, version: string, run: string, launch: LaunchState): PreparedRun {
  const own = openOwnOutput(options.quiet);
  const config = readConfigFile(process.env);
  const settings = withConfig(process.env, config.values);
  const configuration = configure(options, settings);
  const env = commandEnvironment(launch.environment, run, options.env);
  const chosen = chooseRules(options.redaction, env, tokenOf({ configuration }), settings);
  const { rules, ownRules } = chosen;
  const log = openLog({
    sink: own.lines,
    verbose: options.verbose,
    file: options.logFile ?? settings.LEASH_LOG ?? null,
    label: `${options.job} ${run}`,
    redact: (line) => redactLine(ownRules, line),
  });
  const { problems } = config;
  return { options, version, run, launch, settings, configuration, env, rules, chosen, problems, own, log };
}

/**
 * @param pipes what `prepareOutput` returns
 * @param asked the link by which the run has asked; null: it didn't, or couldn't
 */
export async function launchCommand(
  prepared: PreparedRun,
  pipes: Promise<MadeFifos>,
  asked: AskingLink | null = null,
): Promise<LaunchedRun> {
  const { options, env, launch } = prepared;
  const cgroup = createCgroup();
  const startedAt = new Date();
  const since = performance.now();
  const age = () => performance.now() - since;
  const { command, cwd, user, merge } = options;
  const joinFile = cgroup?.joinFile ?? null;
  const started = await startCommand({ command, env, cwd, user, merge, joinFile, launch }, pipes);
  // Before anything else is awaited: the command can't have been waited for yet.
  const waitedForBefore = started.kind === 'running' && process.platform === 'linux' ? readWaitedFor() : null;
  return { ...prepared, asked, startedAt, age, cgroup, started, waitedForBefore };
}

/** A run that asked and is not to start. */
export function withholdCommand(
  prepared: PreparedRun,
  cause: Withheld['cause'],
  asked: AskingLink | null,
): LaunchedRun {
  const since = performance.now();
  return {
    ...prepared,
    asked,
    startedAt: new Date(),
    age: () => performance.now() - since,
    cgroup: null,
    started: { kind: 'withheld', cause },
    waitedForBefore: null,
  };
}

export async function hideTokenAndReportProblems(prepared: PreparedRun): Promise<void> {
  const { options, chosen, problems, log } = prepared;
  await hideTokenFile(chosen, options.redaction, tokenOf(prepared));
  for (const line of problems) log.warn(line);
  if (chosen.problem !== null) log.warn(chosen.problem);
}

function tokenOf({ configuration }: Pick<PreparedRun, 'configuration'>): TokenSource | null {
  return configuration.kind === 'supervised' ? configuration.controlPlane.token : null;
}

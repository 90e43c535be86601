/** `--detach`: the wrapper continues in the background, and its caller doesn't wait for it. */
import { constants } from 'node:fs';
import fs from 'node:fs/promises';
import * as v from 'valibot';
import { RunId } from '#protocol/names';
import { EXIT_ERRORED } from '#protocol/run-state';
import { withTimeout } from '#shared/with-timeout';
import { type Environment, readConfigFile, withConfig } from '../config/config-file.ts';
import { type Configuration, configure } from '../config/control-plane.ts';
import { ownArguments } from '../host/own-arguments.ts';
import { ownProgram } from '../host/own-program.ts';
import { spawnDetached } from '../host/spawn-detached.ts';
import { hideFromNode } from '../launch/hidden-variables.ts';
import type { LaunchState } from '../launch/launch-state.ts';
import { spawnable } from '../launch/shim.ts';
import { describeError, openLog, ownLine } from '../logging/log.ts';
import { newRunId } from './identity.ts';
import { chooseRules } from './redaction.ts';
import type { RunOptions } from './run-options.ts';

/**
 * Passes what only the wrapper in the foreground can know to the one in the background. It is an argument, because only the
 * wrapper in the foreground gives arguments; a variable may come from anyone.
 */
const OPTION = '--detachment=';
/** Goes with the option, but as a variable: everyone on the machine can read arguments. */
const RUN_VARIABLE = 'LEASH_DETACHED_RUN';
/** How long the check of a token file may take: it may be on a network file system that hangs. */
const TOKEN_WAIT_MS = 2_000;

/** What `leash run --detach` hands to the wrapper in the background, besides the run's id. */
const Detachment = v.object({
  noFileSoft: v.nullable(v.union([v.number(), v.literal('unlimited')])),
  stackSoft: v.nullable(v.number()),
  ignoredSignals: v.array(v.number()),
});
export type Detachment = v.InferOutput<typeof Detachment> & {
  /** The run's id, which has been printed for the caller. */
  readonly run: string;
};

/**
 * Starts this `leash` again with the same arguments in the background: in a session of its own, with none of the caller's
 * descriptors. Prints the run's id, and on stderr what is wrong with the settings, because the wrapper in the background
 * can't.
 *
 * @returns the exit code to leave with
 */
export async function startInBackground(options: RunOptions, launch: LaunchState): Promise<number> {
  const run = newRunId();
  for (const stream of [process.stdout, process.stderr]) {
    // EPIPE: the caller has hung up. The run is started anyway.
    stream.on('error', () => {});
  }
  const config = readConfigFile(process.env);
  const settings = withConfig(process.env, config.values);
  for (const line of [...config.problems, ...(await settingsProblems(options, settings))]) {
    process.stderr.write(ownLine(line));
  }
  try {
    await spawnSelf(run, launch);
    process.stdout.write(`${run}\n`);
    await logHandover(options, settings, run);
    return 0;
  } catch (error) {
    // Too many processes, no memory: nothing has been started.
    process.stderr.write(ownLine(`could not start the background process: ${describeError(error)}`));
    return EXIT_ERRORED;
  }
}

/** Lines for a person; none when all is well. The run is started in any case. */
async function settingsProblems(options: RunOptions, settings: Environment): Promise<string[]> {
  const { problem } = chooseRules(options.redaction, {}, null, settings);
  return [problem, await controlPlaneProblem(configure(options, settings))].filter((line) => line !== null);
}

/** Checks that the log file can be written: it is the only place where the wrapper in the background reports locally. */
async function logHandover({ job, logFile, verbose }: RunOptions, settings: Environment, run: string): Promise<void> {
  const sink = { write: (line: Uint8Array) => void process.stderr.write(line) };
  const log = openLog({ sink, verbose, file: logFile ?? settings.LEASH_LOG ?? null, label: `${job} ${run}` });
  log.info('handed over to a background process');
  await log.drained();
}

async function controlPlaneProblem(configuration: Configuration): Promise<string | null> {
  if (configuration.kind === 'unsupervised')
    return `running unsupervised, this run can't be seen or stopped: ${configuration.why}`;
  const { token } = configuration.controlPlane;
  // Missing, or not readable for us: that may change, and it is read again for each connection.
  const why = token.kind === 'file' ? await whyUnreadable(token.path) : null;
  if (why !== null) return `not supervised: cannot read the token: ${why}; the command keeps running`;
  return configuration.warning;
}

/** Doesn't read it: the content of a FIFO is for the wrapper in the background. */
function whyUnreadable(path: string): Promise<string | null> {
  const access = fs.access(path, constants.R_OK).then(() => null, describeError);
  return withTimeout(access, TOKEN_WAIT_MS, { fallback: `${path} does not respond` });
}

function spawnSelf(run: string, { noFileSoft, stackSoft, ignoredSignals, environment }: LaunchState): Promise<void> {
  const detachment: v.InferOutput<typeof Detachment> = { noFileSoft, stackSoft, ignoredSignals: [...ignoredSignals] };
  const [subcommand = '', ...rest] = ownArguments();
  const command = [...ownProgram(), subcommand, OPTION + JSON.stringify(detachment), ...rest] as const;
  const { program, args, env } = spawnable(command, { ...hideFromNode(environment), [RUN_VARIABLE]: run });
  const child = spawnDetached(program, args, {
    env,
    cwd: null,
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  child.unref();
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
}

/**
 * Extracts what the `leash run --detach` that started this process has handed over (null in the foreground) from the
 * arguments that follow `leash run`, and from `env`.
 *
 * @returns null for an option that no `leash run --detach` has written
 */
export function extractDetachment(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): {
  readonly detachment: Detachment | null;
  readonly rest: readonly string[];
} | null {
  const [first = '', ...rest] = argv;
  if (!first.startsWith(OPTION)) return { detachment: null, rest: argv };
  try {
    const run = v.parse(RunId, env[RUN_VARIABLE]);
    delete env[RUN_VARIABLE];
    return { detachment: { run, ...v.parse(Detachment, JSON.parse(first.slice(OPTION.length))) }, rest };
  } catch {
    return null;
  }
}

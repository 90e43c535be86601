/** `--detach`: the wrapper goes on by itself, and whoever called it has nothing to wait for. */
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
 * By which the wrapper in the background is told what only the one in the foreground could know. An argument, which none
 * but the one in the foreground gives; a variable may be anyone's.
 */
const OPTION = '--detachment=';
/** What goes with the option and is none: everyone on the machine can read arguments. */
const RUN_VARIABLE = 'LEASH_DETACHED_RUN';
/** A token file on a network file system that hangs holds nobody up. */
const TOKEN_WAIT_MS = 2_000;

/** What `leash run --detach` hands to the wrapper that it leaves in the background, beside the run's id. */
const Detachment = v.object({
  noFileSoft: v.nullable(v.union([v.number(), v.literal('unlimited')])),
  stackSoft: v.nullable(v.number()),
  ignoredSignals: v.array(v.number()),
});
export type Detachment = v.InferOutput<typeof Detachment> & {
  /** The run's id, which the caller has been told. */
  readonly run: string;
};

/**
 * Starts this `leash` once more, with the same arguments, in the background: in a session of its own, with nothing of
 * the caller's left open. Prints the run's id, and on stderr what is wrong with the settings: the one in the background
 * has nobody to tell it to.
 *
 * @returns the exit code to leave with
 */
export async function startInBackground(options: RunOptions, launch: LaunchState): Promise<number> {
  const run = newRunId();
  for (const stream of [process.stdout, process.stderr]) {
    // EPIPE: the caller has hung up. The run is started all the same.
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
    process.stderr.write(ownLine(`cannot go into the background: ${describeError(error)}`));
    return EXIT_ERRORED;
  }
}

/** Lines for a person; none when all is well. The run is started in any case. */
async function settingsProblems(options: RunOptions, settings: Environment): Promise<string[]> {
  const { problem } = chooseRules(options.redaction, {}, null, settings);
  return [problem, await controlPlaneProblem(configure(options, settings))].filter((line) => line !== null);
}

/** Of a log that can't be written nobody would ever hear, and it alone tells what becomes of the run. */
async function logHandover({ job, logFile, verbose }: RunOptions, settings: Environment, run: string): Promise<void> {
  const sink = { write: (line: Uint8Array) => void process.stderr.write(line) };
  const log = openLog({ sink, verbose, file: logFile ?? settings.LEASH_LOG ?? null, label: `${job} ${run}` });
  log.info('handed over to the background');
  await log.drained();
}

async function controlPlaneProblem(configuration: Configuration): Promise<string | null> {
  if (configuration.kind === 'unsupervised')
    return `running unsupervised, nobody can see or stop this run: ${configuration.why}`;
  const { token } = configuration.controlPlane;
  // Not there, or not ours to read: it may come, and is read again for each connection.
  const why = token.kind === 'file' ? await whyUnreadable(token.path) : null;
  if (why !== null) return `not supervised: cannot read the token: ${why}; the command runs on`;
  return configuration.warning;
}

/** Only looks: what a FIFO holds is for the one in the background. */
function whyUnreadable(path: string): Promise<string | null> {
  const looked = fs.access(path, constants.R_OK).then(() => null, describeError);
  return withTimeout(looked, TOKEN_WAIT_MS, { fallback: `${path} does not answer` });
}

function spawnSelf(run: string, { noFileSoft, stackSoft, ignoredSignals, environment }: LaunchState): Promise<void> {
  const told: v.InferOutput<typeof Detachment> = { noFileSoft, stackSoft, ignoredSignals: [...ignoredSignals] };
  const [subcommand = '', ...rest] = ownArguments();
  const words = [...ownProgram(), subcommand, OPTION + JSON.stringify(told), ...rest] as const;
  const { program, args, env } = spawnable(words, { ...hideFromNode(environment), [RUN_VARIABLE]: run });
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
 * What the `leash run --detach` that started this one left for it, and the rest of what follows `leash run`. Null in the
 * foreground.
 *
 * @returns null for what no `leash run --detach` has written
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

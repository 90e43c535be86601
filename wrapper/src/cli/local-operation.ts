/** What the subcommands for operators share: settings, a log, an exit code, and no stack traces. */
import { EXIT_ERRORED } from '#protocol/run-state';
import { type Environment, readConfigFile, withConfig } from '../config/config-file.ts';
import { describeError, type Log, openLog, printable } from '../logging/log.ts';
import { openOwnOutput } from '../output/own-output.ts';

export interface LocalContext {
  readonly settings: Environment;
  readonly log: Log;
  /** Prints a line. */
  readonly print: (line: string) => void;
}

export interface LocalOptions {
  /** Its name in the log. */
  readonly name: string;
  readonly logFile: string | null;
  readonly verbose: boolean;
  /** When the work fails unexpectedly; default 255. */
  readonly failureCode?: number;
}

/**
 * Does `work`, and waits until all its output is written.
 *
 * @returns the exit code that `work` returns, or that of a failure
 */
export async function runLocally(
  { name, logFile, verbose, failureCode = EXIT_ERRORED }: LocalOptions,
  work: (operation: LocalContext) => Promise<number>,
): Promise<number> {
  const { sinks, lines } = openOwnOutput(false);
  const config = readConfigFile(process.env);
  const settings = withConfig(process.env, config.values);
  const log = openLog({ sink: lines, verbose, file: logFile ?? settings.LEASH_LOG ?? null, label: name });
  for (const line of config.problems) log.warn(line);
  const print = (line: string) => sinks.stdout.write(Buffer.from(`${printable(line)}\n`));
  const exitCode = await work({ settings, log, print }).catch((error: unknown) => {
    log.warn(`leash ${name} failed: ${describeError(error)}`);
    return failureCode;
  });
  await Promise.all([sinks.stdout.drained(), lines.drained(), log.drained()]);
  return exitCode;
}

/** What the subcommands that call the API share: their flags, a client, output, and errors as sentences with exit codes. */
import type { ParseArgsConfig } from 'node:util';
import { describeError } from '../logging/log.ts';
import { ApiClient } from '../operator/api-client.ts';
import { EXIT, type ExitCode } from '../operator/exit-codes.ts';
import type { OperatorContext } from '../operator/operator-context.ts';
import { OperatorError } from '../operator/operator-error.ts';
import { allWritten, exitWithoutReader, Output } from '../operator/output.ts';
import { type OperatorFlags, readOperatorSettings } from '../operator/settings.ts';
import type { Program } from './subcommand.ts';

/** Spread into the flags of each; `readOperatorFlags` reads them. */
export const OPERATOR_FLAGS = {
  url: { type: 'string' },
  'token-file': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsConfig['options'];

/** For the end of their help. */
export const OPERATOR_HELP = `  --json                 print the API's own JSON
  --url URL              the control plane; default $LEASH_URL, then what leash login keeps
  --token-file FILE      a file with a token for it; default $LEASH_TOKEN, $LEASH_TOKEN_FILE, then
                         what leash login keeps
  -h, --help             print this text

Exit code: 0 done, 1 failed, 2 usage, 3 not found, 4 not allowed, 6 out of reach
`;

export interface OperatorOptions extends OperatorFlags {
  readonly asJson: boolean;
}

export function readOperatorFlags(flags: {
  readonly url?: string | undefined;
  readonly 'token-file'?: string | undefined;
  readonly json?: boolean | undefined;
}): OperatorOptions {
  return { url: flags.url ?? null, tokenFile: flags['token-file'] ?? null, asJson: flags.json ?? false };
}

/** Does what calls the API. @returns the exit code; an OperatorError is printed and has its own */
export function runOperator(
  options: OperatorFlags,
  { version, env }: Program,
  work: (context: OperatorContext) => Promise<ExitCode>,
): Promise<number> {
  return reportErrors(env, async (output) => {
    const settings = await readOperatorSettings(options, env);
    const api = new ApiClient({ settings, version, onWait: (line) => output.note(line) });
    try {
      return await work({ api, output, env });
    } finally {
      api.close();
    }
  });
}

/** The same without a client. */
export async function reportErrors(
  env: NodeJS.ProcessEnv,
  work: (output: Output) => Promise<ExitCode>,
): Promise<number> {
  exitWithoutReader();
  const output = new Output(env);
  try {
    return await work(output);
  } catch (error) {
    output.note(describeError(error));
    if (!(error instanceof OperatorError)) return EXIT.failed;
    for (const line of error.details) output.note(`  ${line}`);
    return error.exitCode;
  } finally {
    await allWritten();
  }
}

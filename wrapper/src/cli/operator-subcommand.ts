/** What the subcommands that call the API share: their flags, a client, output, and errors as sentences with exit codes. */
import type { ParseArgsConfig, parseArgs } from 'node:util';
import { describeError } from '../logging/log.ts';
import { ApiClient } from '../operator/api-client.ts';
import { EXIT, type ExitCode } from '../operator/exit-codes.ts';
import type { OperatorContext } from '../operator/operator-context.ts';
import { OperatorError } from '../operator/operator-error.ts';
import { allWritten, exitWithoutReader, Output } from '../operator/output.ts';
import { type OperatorFlags, readOperatorSettings } from '../operator/settings.ts';
import { readFlags, readFlagsAndWords } from './flags.ts';
import { defineSubcommand, type Program, type Subcommand } from './subcommand.ts';

const SHARED_FLAGS = {
  url: { type: 'string' },
  'token-file': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

type Flags = NonNullable<ParseArgsConfig['options']>;
/** The values of flags. */
type Values<Own extends Flags> = ReturnType<typeof parseArgs<{ options: Own; strict: true }>>['values'];

type AllValues<Own extends Flags> = Values<typeof SHARED_FLAGS> & Values<Own>;

/** What each is told besides its own arguments. */
export interface SharedArguments {
  readonly asJson: boolean;
}

interface OperatorDefinition<Own extends Flags, Args> {
  /** Ends with `operatorHelp()`. */
  readonly help: string;
  /** Its own. */
  readonly flags: Own;
  /** The error for an argument that isn't a flag; absent where it takes some. */
  readonly onWord?: string;
  /** Reads flags and the other words. @throws {UsageError} for invalid ones */
  readonly read: (flags: AllValues<Own>, words: readonly string[]) => Args;
  readonly run: (args: Args & SharedArguments, context: OperatorContext) => Promise<ExitCode>;
}

interface Invocation<Args> {
  readonly operator: OperatorFlags;
  readonly args: Args & SharedArguments;
}

interface OperatorSubcommand<Args> extends Subcommand {
  /** @returns null when help is asked for @throws {UsageError} for invalid arguments */
  parse(argv: readonly string[]): Invocation<Args> | null;
}

export function defineOperatorSubcommand<const Own extends Flags, Args>({
  help,
  flags,
  onWord,
  read,
  run,
}: OperatorDefinition<Own, Args>): OperatorSubcommand<Args> {
  const parse = (argv: readonly string[]): Invocation<Args> | null => {
    const options = { ...SHARED_FLAGS, ...flags };
    const parsed =
      onWord === undefined
        ? readFlagsAndWords(argv, options)
        : { values: readFlags(argv, options, onWord), positionals: [] };
    // TypeScript can't tell what the values are of flags that it doesn't know yet.
    const { values, positionals } = parsed as unknown as {
      readonly values: AllValues<Own>;
      readonly positionals: readonly string[];
    };
    if (values.help) return null;
    const operator = { url: values.url ?? null, tokenFile: values['token-file'] ?? null };
    return { operator, args: { ...read(values, positionals), asJson: values.json ?? false } };
  };
  const subcommand = defineSubcommand({
    help,
    parse,
    run: ({ operator, args }, program) => runOperator(operator, program, (context) => run(args, context)),
  });
  return { ...subcommand, parse };
}

/** The end of their help. */
export function operatorHelp({
  json = "print the API's own JSON",
  exitCodes = '0 done, 1 failed, 2 usage, 3 not found, 4 not allowed, 6 out of reach',
} = {}): string {
  return `  --json                 ${json}
  --url URL              the control plane; default $LEASH_URL, then what leash login keeps
  --token-file FILE      a file with a token for it; default $LEASH_TOKEN, $LEASH_TOKEN_FILE, then
                         what leash login keeps
  -h, --help             print this text

Exit code: ${exitCodes}
`;
}

/** Does what calls the API. @returns the exit code; an OperatorError is printed and has its own */
function runOperator(
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

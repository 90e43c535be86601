/** The `leash` program. */
import { EXIT_ERRORED } from '#protocol/run-state';
import { UsageError } from './cli/flags.ts';
import { type Invocation, readInvocation } from './cli/invocation.ts';
import type { RegisteredSubcommand } from './cli/registry.ts';
import { exitProcess } from './host/exit-process.ts';
import { ownArguments } from './host/own-arguments.ts';
import { describeError, ownLine } from './logging/log.ts';

declare const __LEASH_VERSION__: string;
const VERSION = typeof __LEASH_VERSION__ === 'string' ? __LEASH_VERSION__ : '0.0.0-dev';

// Something the command left behind may keep our handles open for as long as it likes.
void main(readInvocation(ownArguments()))
  .catch((error: unknown) => fail(error))
  .then(exitProcess);

/** @returns the exit code */
async function main(invocation: Invocation): Promise<number> {
  switch (invocation.kind) {
    case 'help':
      process.stdout.write(await helpOn(invocation.subcommand));
      return 0;
    case 'version':
      process.stdout.write(`leash ${VERSION}\n`);
      return 0;
    case 'unknown':
      process.stderr.write(ownLine(`unknown command: ${invocation.word} (see leash --help)`));
      return EXIT_ERRORED;
    case 'subcommand':
      return start(invocation.subcommand, invocation.argv);
  }
}

async function helpOn(registered: RegisteredSubcommand | null): Promise<string> {
  if (registered === null) return (await import('./cli/help.ts')).rootHelp();
  return (await registered.load()).subcommand.help;
}

async function start({ name, group, failureCodes, load }: RegisteredSubcommand, argv: readonly string[]) {
  const { subcommand } = await load();
  try {
    return await subcommand.start(argv, { version: VERSION, env: process.env });
  } catch (error) {
    if (!(error instanceof UsageError)) return fail(error, failureCodes.failure);
    const help = group === null ? 'leash --help' : `leash ${name} --help`;
    process.stderr.write(ownLine(`${error.message} (see ${help})`));
    return failureCodes.usage;
  }
}

/** Nothing has been started, or it would not have come to this. */
function fail(error: unknown, exitCode = EXIT_ERRORED): number {
  process.stderr.write(ownLine(`failed: ${describeError(error)}`));
  return exitCode;
}

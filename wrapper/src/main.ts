/** The `leash` program. */
import { EXIT_ERRORED } from '#protocol/run-state';
import { type Invocation, parseInvocation, type Topic } from './cli/args.ts';
import { HELP } from './cli/help.ts';
import { exitProcess } from './host/exit-process.ts';
import { ownArguments } from './host/own-arguments.ts';
import { describeError, ownLine } from './logging/log.ts';
import { run } from './run/run.ts';

declare const __LEASH_VERSION__: string;
const VERSION = typeof __LEASH_VERSION__ === 'string' ? __LEASH_VERSION__ : '0.0.0-dev';

// Something the command left behind may keep our handles open for as long as it likes.
void main(parseInvocation(ownArguments(), process.env)).catch(fail).then(exitProcess);

/** @returns the exit code */
async function main(invocation: Invocation): Promise<number> {
  switch (invocation.kind) {
    case 'help':
      process.stdout.write(HELP[invocation.topic]);
      return 0;
    case 'version':
      process.stdout.write(`leash ${VERSION}\n`);
      return 0;
    case 'usage_error':
      process.stderr.write(ownLine(`${invocation.message} (see ${helpOn(invocation.topic)})`));
      return EXIT_ERRORED;
    case 'run':
      return run(invocation.args, invocation.detachment, VERSION);
    // Loaded only where they are asked for: they bring the network code along.
    case 'flush':
      return (await import('./cli/subcommands/flush.ts')).flushCommand(invocation.args);
    case 'adopt':
      if (invocation.kill !== null)
        return (await import('./cli/subcommands/kill-for-guardian.ts')).endForGuardian(invocation.run, invocation.kill);
      return (await import('./cli/subcommands/adopt.ts')).adoptCommand(invocation.run, VERSION);
    case 'cost':
      return (await import('./cli/subcommands/cost.ts')).costCommand(invocation.args);
    case 'orphans':
      return (await import('./cli/subcommands/orphans.ts')).orphansCommand(invocation.args);
  }
}

/** Nothing has been started, or it would not have come to this. */
function fail(error: unknown): number {
  process.stderr.write(ownLine(`failed: ${describeError(error)}`));
  return EXIT_ERRORED;
}

function helpOn(topic: Topic): string {
  return topic === 'leash' ? 'leash --help' : `leash ${topic} --help`;
}

/** The `leash` program. */
import { EXIT_ERRORED } from '#protocol/run-state';
import { parseInvocation } from './cli/args.ts';
import { HELP, RUN_HELP } from './cli/help.ts';
import { run } from './run/run.ts';

declare const __LEASH_VERSION__: string;
const VERSION = typeof __LEASH_VERSION__ === 'string' ? __LEASH_VERSION__ : '0.0.0-dev';

const invocation = parseInvocation(process.argv.slice(2));
switch (invocation.kind) {
  case 'help':
    process.stdout.write(invocation.topic === 'run' ? RUN_HELP : HELP);
    break;
  case 'version':
    process.stdout.write(`leash ${VERSION}\n`);
    break;
  case 'usage_error':
    process.stderr.write(`leash: ${invocation.message} (see leash run --help)\n`);
    process.exitCode = EXIT_ERRORED;
    break;
  case 'run':
    // Something the command left behind may keep our handles open for as long as it likes.
    process.exit(await run(invocation.args, VERSION));
}

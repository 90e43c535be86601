/** The `leash` program. */
import { EXIT_ERRORED } from '#protocol/run-state';
import { parseInvocation } from './cli/args.ts';
import { HELP } from './cli/help.ts';
import { run } from './run/run.ts';

declare const __LEASH_VERSION__: string;
const VERSION = typeof __LEASH_VERSION__ === 'string' ? __LEASH_VERSION__ : '0.0.0-dev';

const invocation = parseInvocation(process.argv.slice(2));
switch (invocation.kind) {
  case 'help':
    process.stdout.write(HELP[invocation.topic]);
    break;
  case 'version':
    process.stdout.write(`leash ${VERSION}\n`);
    break;
  case 'usage_error': {
    const where = invocation.topic === 'leash' ? 'leash --help' : `leash ${invocation.topic} --help`;
    process.stderr.write(`leash: ${invocation.message} (see ${where})\n`);
    process.exitCode = EXIT_ERRORED;
    break;
  }
  case 'run':
    // Something the command left behind may keep our handles open for as long as it likes.
    process.exit(await run(invocation.args, VERSION));
}

/** `leash whoami`. */
import { Session } from '#protocol/api';
import { EXIT } from '../../operator/exit-codes.ts';
import { showSession } from '../../operator/session.ts';
import { readFlags } from '../flags.ts';
import { OPERATOR_FLAGS, OPERATOR_HELP, readOperatorFlags, runOperator } from '../operator-subcommand.ts';
import { defineSubcommand } from '../subcommand.ts';

const HELP = `leash whoami: print which token is used, and what it may do.

Usage:
  leash whoami [options]

Options:
${OPERATOR_HELP}`;

export const subcommand = defineSubcommand({
  help: HELP,
  parse: (argv) => {
    const flags = readFlags(argv, OPERATOR_FLAGS, 'leash whoami takes no arguments');
    return flags.help ? null : readOperatorFlags(flags);
  },
  run: (options, program) =>
    runOperator(options, program, async ({ api, output }) => {
      const session = await api.get(Session, 'session', { path: '/session' });
      if (options.asJson) output.json(session.raw);
      else showSession(session.value, api, output);
      return EXIT.done;
    }),
});

/** `leash whoami`. */
import { Session } from '#protocol/api';
import { EXIT } from '../../operator/exit-codes.ts';
import { showSession } from '../../operator/session.ts';
import { defineOperatorSubcommand, operatorHelp } from '../operator-subcommand.ts';

const HELP = `leash whoami: print which token is used, and what it may do.

Usage:
  leash whoami [options]

Options:
${operatorHelp()}`;

export const subcommand = defineOperatorSubcommand({
  help: HELP,
  flags: {},
  onWord: 'leash whoami takes no arguments',
  read: () => ({}),
  run: async (options, { api, output }) => {
    const session = await api.get(Session, 'session', { path: '/session' });
    if (options.asJson) output.json(session.raw);
    else showSession(session.value, api, output);
    return EXIT.done;
  },
});

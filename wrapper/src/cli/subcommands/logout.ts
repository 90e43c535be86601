/** `leash logout`. */
import { EXIT } from '../../operator/exit-codes.ts';
import { loginPath, removeLogin } from '../../operator/login-file.ts';
import { readFlags } from '../flags.ts';
import { reportErrors } from '../operator-subcommand.ts';
import { defineSubcommand } from '../subcommand.ts';

const HELP = `leash logout: remove what leash login has kept.

Usage:
  leash logout

The token itself stays valid: leash token delete ends it.

Options:
  -h, --help             print this text

Exit code: 0 done, also when nothing was kept; 1 failed, 2 usage
`;

export const subcommand = defineSubcommand({
  help: HELP,
  parse: (argv) => {
    const flags = readFlags(argv, { help: { type: 'boolean', short: 'h' } }, 'leash logout takes no arguments');
    return flags.help ? null : flags;
  },
  run: (_options, { env }) =>
    reportErrors(env, async (output) => {
      const isRemoved = await removeLogin(env);
      output.note(isRemoved ? `removed ${loginPath(env)}; the token is still valid` : 'you were not signed in');
      return EXIT.done;
    }),
});

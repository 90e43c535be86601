/** `leash completion`, and what its scripts call. */
import { COMPLETION_SCRIPTS, SHELLS } from '../completion/scripts.ts';
import { readFlagsAndWords, UsageError } from '../flags.ts';
import { defineSubcommand } from '../subcommand.ts';

const HELP = `leash completion: print a script with which a shell completes leash's command lines.

Usage:
  leash completion SHELL

SHELL is bash, zsh or fish. The script asks leash itself: it completes subcommands and flags, and
the names of jobs and the ids of runs, as far as the control plane responds within a second.

Examples:
  eval "$(leash completion bash)"          in ~/.bashrc
  eval "$(leash completion zsh)"           in ~/.zshrc, after compinit
  leash completion fish | source           in ~/.config/fish/config.fish

Options:
  -h, --help             print this text
`;

export const subcommand = defineSubcommand({
  help: HELP,
  parse: (argv) => {
    const { values, positionals } = readFlagsAndWords(argv, { help: { type: 'boolean', short: 'h' } });
    if (values.help) return null;
    const shell = SHELLS.find((each) => each === positionals[0]);
    if (shell === undefined || positionals.length !== 1) throw new UsageError(`which shell? ${SHELLS.join(', ')}`);
    return shell;
  },
  run: (shell) => {
    process.stdout.write(COMPLETION_SCRIPTS[shell]);
    return 0;
  },
});

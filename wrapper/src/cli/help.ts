export const HELP = `leash: see what runs on your machines, read its output live, and stop it.

Usage:
  leash run --job NAME [options] -- COMMAND ARG...
  leash run --help
  leash --version
`;

export const RUN_HELP = `leash run: run a command under supervision.

Usage:
  leash run --job NAME [options] -- COMMAND ARG...

Runs COMMAND in a process group of its own, passes its output on, sends it to the control plane, and ends the whole
group when an operator asks for it. The command never waits for the network: without a connection it runs all the same.
When it has ended, leash waits until that is stored: 3 seconds when nobody answers, never more than 10.

Options:
  --job NAME           the job this is a run of, e.g. backup (required)
  --instance NAME      the firing it belongs to; default <job>_<epoch seconds>
  --machine NAME       the machine it runs on; default this host's name
  --timeout DURATION   end the command after so long; 0 or nothing: no limit
  --grace DURATION     time between the first signal and SIGKILL when the limit or a local signal ends the command;
                       default 5s; 0: SIGKILL at once after the first signal
  --url URL            the control plane; default $LEASH_URL
  --token-file FILE    a file that holds the token; read again for each connection
  --verbose            tell on stderr what the wrapper does
  --help               this text

DURATION is a number with ms, s, m, h or d, e.g. 90s, 5m, 500ms; a bare number is seconds.

Environment:
  LEASH_URL            the control plane, e.g. https://leash.example.com
  LEASH_TOKEN          a token with the scope \`run\`; not passed on to the command
  LEASH_TOKEN_FILE     a file that holds it; not passed on either
Of several tokens --token-file comes first, then LEASH_TOKEN, then LEASH_TOKEN_FILE. Without a URL or a token the
command runs unsupervised, and a line on stderr says so.

SIGTERM, SIGINT and SIGHUP are passed on to the command's whole group; after the grace, SIGKILL.

Exit code:
  the command's own (128+n when signal n ended it), except
  124  the --timeout ended it
  143  an operator's kill ended it, whether or not SIGTERM sufficed
  255  the command could not be started, the usage is wrong, or the wrapper failed

Example, in a crontab:
  0 3 * * *  leash run --job backup --timeout 2h -- /usr/local/bin/backup --all
`;

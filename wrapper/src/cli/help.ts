/** The texts of `--help`. At most 100 characters a line: they are read in terminals. */
import type { Topic } from './args.ts';

const LEASH = `leash: see what runs on your machines, read its output live, and stop it.

Usage:
  leash run --job NAME [options] -- COMMAND ARG...   run a command under supervision
  leash flush [options]                              send what earlier runs could not
  leash orphans [--kill] [RUN...]                    find commands that nobody supervises
  leash COMMAND --help
  leash --version
`;

const RUN = `leash run: run a command under supervision.

Usage:
  leash run --job NAME [options] -- COMMAND ARG...
  leash run --job NAME [options] --shell -- 'COMMAND | COMMAND'

Runs COMMAND as cron would, passes its output and exit code on, shows both to the control plane, and
ends all that COMMAND has started when an operator asks for it. The command never waits for the
network. What can't be sent is kept on disk and sent later.

Example, in a crontab:
  0 3 * * *  /usr/local/bin/leash run --job backup --timeout 2h -- /usr/local/bin/backup --all

What it is:
  --job NAME             the job this is a run of, e.g. backup (required)
  --instance NAME        the firing it belongs to; default <job>_<epoch seconds>
  --machine NAME         the machine it runs on; default $LEASH_MACHINE, then this host's full name

When it ends:
  --timeout DURATION       end it after so long
  --idle-timeout DURATION  end it when it has printed nothing for so long
  --max-offline DURATION   end it when the control plane has been out of reach for so long: for a
                           job that must never run unsupervised
  --signal SIGNAL          what a limit, or an operator who names no other, sends first; default
                           TERM
  --grace DURATION         from that, or from a signal to leash itself, to SIGKILL; default 5s;
                           0: at once
  --wrapper-death WHAT     when leash itself is killed: keep the command running (default), or
                           kill it and all it has started
  --without-wrapper WHAT   when leash can't run here (Node.js is missing, too old or can't start, or
                           leash itself is damaged): run the command unsupervised (default, unless
                           --max-offline is given), or refuse, with exit code 255

How it runs:
  --shell                the command is one argument, a line for /bin/sh
  --cwd DIR              run it there
  --user USER            run it as this user, with that user's groups and home; needs root
  --env NAME=VALUE       add to its environment; may be repeated
  --detach               return at once, print the run's id, and leave nothing attached: for callers
                         that must not wait. What becomes of the run is told in --log alone

What it prints:
  -q, --quiet            don't pass it on to our own stdout and stderr
  --merge                stdout and stderr through one pipe, in exact order
  --redact REGEX         replace what matches, within a line, before it leaves this machine or
                         reaches its disk; may be repeated; also $LEASH_REDACT
  --no-redact            replace nothing. Otherwise the values of variables that are named like
                         secrets (…_PASSWORD, …_TOKEN, …_API_KEY) are replaced as well
  --spool-limit SIZE     keep at most so much on disk for later, head and tail; default: as much as
                         the control plane keeps of a run (256M unless it says otherwise)

The control plane:
  --url URL              default $LEASH_URL
  --token-file FILE      a file that holds the token, read again for each connection; default
                         $LEASH_TOKEN, then $LEASH_TOKEN_FILE

What leash itself does:
  --log FILE             append it to FILE, a line each; default $LEASH_LOG
  -v, --verbose          tell it on stderr
  -h, --help             this text

DURATION is a number with ms, s, m, h or d (90s, 5m, 500ms); a bare number is seconds; 0: no limit.
SIZE is a number with K, M or G.

Settings come from flags, then the environment, then /etc/leash.conf (KEY=VALUE lines; another file
with $LEASH_CONFIG): LEASH_URL, LEASH_TOKEN, LEASH_TOKEN_FILE, LEASH_CA_FILE (certificates to trust
besides the usual ones), LEASH_MACHINE, LEASH_STATE_DIR (what is kept for later; default
/var/lib/leash, or ~/.local/state/leash), LEASH_LOG, LEASH_REDACT, HTTPS_PROXY, HTTP_PROXY,
ALL_PROXY, NO_PROXY. The token is not passed on to the command. Without a URL or a token the command
runs unsupervised, and a line on stderr says so.

SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGALRM, SIGXCPU and others to leash end the command: the signal
goes to all it has started, after the grace SIGKILL. SIGUSR1 and SIGUSR2 go to COMMAND alone; Ctrl-Z
stops all of it.

Exit code: the command's own (128+n when signal n ended it), except
  124  --timeout or --idle-timeout ended it
  143  an operator's kill ended it, whether or not SIGTERM sufficed
  253  --max-offline ended it
  255  it could not be started, its output could not be written to our own stdout (a full disk), the
       usage is wrong, or leash failed
`;

const FLUSH = `leash flush: send what earlier runs on this machine could not.

Usage:
  leash flush [options]

A run that ends while the control plane is out of reach leaves its end and its output in the state
directory; so does one whose wrapper was killed. A process in the background that keeps trying for
a day sends them, and the next \`leash run\` starts it again. \`leash flush\` does so now, and says
what came of it.

Options:
  --for DURATION         keep trying, each run for so long; default: each run once
  --url URL, --token-file FILE
                         the control plane and the token, as for \`leash run\`
  --log FILE             append what happens to FILE
  -v, --verbose          tell it on stderr
  -h, --help             this text

Exit code:
  0    nothing is left to send, or another \`leash flush\` is at it
  1    something is left, also for another control plane, or was given up; it says what and why
  255  the usage is wrong, or leash failed
`;

const ORPHANS = `leash orphans: find commands that nobody supervises, and take them over or end them.

Usage:
  leash orphans [RUN...]
  leash orphans --kill [--signal SIGNAL] [--grace DURATION] [--include-related] [RUN...]

When a wrapper is killed, another one takes its run over by itself. Where that one's starter was
killed as well, the command runs on, and can't be stopped from the control plane. This lists such
commands of this user on this machine (run, job, pid, when it started, how many processes), and has
them taken over. With --kill they are ended, all that they have started included. What only carries
the run's mark, and what LEASH_KEEP=1 leaves out, is named and lives on.

Options:
  --kill                 end them
  --signal SIGNAL        what is sent first; default TERM
  --grace DURATION       from that to SIGKILL; default 5s; 0: at once
  --include-related       end related processes, and what LEASH_KEEP=1 leaves out, too
  -v, --verbose          tell on stderr what is done
  -h, --help             this text

Exit code:
  0    there is none, or all of them have been ended
  1    there are some, or some could not be ended
  255  the usage is wrong, or leash failed
`;

export const HELP: Readonly<Record<Topic, string>> = { leash: LEASH, run: RUN, flush: FLUSH, orphans: ORPHANS };

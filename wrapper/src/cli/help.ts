/** The texts of `--help`. At most 100 characters a line: they are read in terminals. */
import type { Topic } from './args.ts';

const LEASH = `leash: see what runs on your machines, read its output live, and stop it.

Usage:
  leash run --job NAME [options] -- COMMAND ARG...   run a command under supervision
  leash flush [options]                              send what earlier runs could not send
  leash orphans [--kill] [RUN...]                    find commands that have lost their wrapper
  leash cost [options]                               estimate what a fleet costs a month
  leash SUBCOMMAND --help
  leash --version
`;

const RUN = `leash run: run a command under supervision.

Usage:
  leash run --job NAME [options] -- COMMAND ARG...
  leash run --job NAME [options] --shell -- 'COMMAND | COMMAND'

Runs COMMAND as cron would, passes its output and exit code on, reports both to the control plane,
and ends COMMAND and everything it has started when an operator requests it. The command never
waits for the network. Output that can't be sent is spooled to disk and sent later.

Example, in a crontab:
  0 3 * * *  /usr/local/bin/leash run --job backup --timeout 2h -- /usr/local/bin/backup --all

Names:
  --job NAME             the job that this run belongs to, e.g. backup (required)
  --instance NAME        the firing that it belongs to; default <job>_<epoch seconds>
  --machine NAME         this machine's name; default $LEASH_MACHINE, then the full host name

Limits and signals:
  --timeout DURATION       end the command when it has run for DURATION
  --idle-timeout DURATION  end it when it has printed nothing for DURATION
  --max-offline DURATION   end it when the control plane has been unreachable for DURATION: for
                           jobs that must never run unsupervised
  --signal SIGNAL          first signal of a limit, or of a kill that names none; default TERM
  --grace DURATION         time between the first signal and SIGKILL; default 5s; 0 sends SIGKILL
                           at once. Also after a signal to leash itself
  --wrapper-death ACTION   when leash itself is killed: keep the command running (default), or
                           kill it and everything it has started
  --without-wrapper ACTION when leash can't run here (Node.js is missing, too old or can't start, or
                           leash itself is damaged): run the command unsupervised (default, unless
                           --max-offline is given), or refuse, with exit code 255

How the command runs:
  --shell                COMMAND is one argument, a command line for /bin/sh
  --cwd DIR              run it in DIR
  --user USER            run it as this user, with the user's groups and home; requires root
  --env NAME=VALUE       add a variable to its environment; may be repeated
  --detach               return at once, print the run's id, and leave nothing attached: for callers
                         that must not wait. Only --log reports how the run continues

Output:
  -q, --quiet            don't pass it on to the stdout and stderr of leash
  --merge                stdout and stderr through one pipe, in exact order
  --redact REGEX         replace matches, within a line, before output is sent or written to disk;
                         may be repeated; also $LEASH_REDACT
  --no-redact            replace nothing; by default the values of variables with names of secrets
                         (…_PASSWORD, …_TOKEN, …_API_KEY) are replaced as well
  --spool-limit SIZE     maximum of spooled output; the beginning and the end are kept; default: as
                         much as the control plane keeps of a run (256M unless configured)

Control plane:
  --url URL              default $LEASH_URL
  --token-file FILE      a file with the token, read again for each connection; default
                         $LEASH_TOKEN, then $LEASH_TOKEN_FILE

Log and help:
  --log FILE             append what leash does to FILE, one line each; default $LEASH_LOG
  -v, --verbose          print it on stderr
  -h, --help             print this text

DURATION is a number with ms, s, m, h or d (90s, 5m, 500ms); a number without a unit is in seconds;
0 means no limit. SIZE is a number with K, M or G.

Settings come from flags, then the environment, then /etc/leash.conf (KEY=VALUE lines; another file
with $LEASH_CONFIG): LEASH_URL, LEASH_TOKEN, LEASH_TOKEN_FILE, LEASH_CA_FILE (additional
certificates to trust), LEASH_MACHINE, LEASH_STATE_DIR (the spool; default /var/lib/leash, or
~/.local/state/leash), LEASH_LOG, LEASH_REDACT, HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY. The
token is not passed on to the command. Without a URL or a token the command runs unsupervised, and
a line on stderr says so.

SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGALRM, SIGXCPU and others to leash end the command: the signal
goes to everything it has started, and SIGKILL follows after the grace. SIGUSR1 and SIGUSR2 go to
COMMAND only; Ctrl-Z stops everything.

Exit code: the command's own (128+n when signal n ended it), except
  124  --timeout or --idle-timeout ended it
  143  an operator's kill ended it, whether or not SIGTERM sufficed
  253  --max-offline ended it
  255  it could not be started, its output could not be written to the stdout of leash (a full
       disk), an argument is invalid, or leash failed
`;

const FLUSH = `leash flush: send what earlier runs on this machine could not send.

Usage:
  leash flush [options]

A run that ends while the control plane is unreachable leaves its end and its output in the state
directory, and so does a run whose wrapper was killed. A background process tries to send them for a
day; the next \`leash run\` starts it again. \`leash flush\` sends them now and prints the result.

Options:
  --for DURATION         keep trying, for DURATION per run; default: try each run once
  --url URL, --token-file FILE
                         the control plane and the token, as for \`leash run\`
  --log FILE             append what happens to FILE
  -v, --verbose          print it on stderr
  -h, --help             print this text

Exit code:
  0    nothing is left to send, or another \`leash flush\` is running
  1    something is left, also for another control plane, or was given up; it says what and why
  255  an argument is invalid, or leash failed
`;

const ORPHANS = `leash orphans: find commands that have lost their wrapper, and take them over or end them.

Usage:
  leash orphans [RUN...]
  leash orphans --kill [--signal SIGNAL] [--grace DURATION] [--include-related] [RUN...]

When a wrapper is killed, its guardian starts a successor. If the guardian was killed as well, the
command keeps running, but the control plane can't see or stop it. This lists such commands of this
user on this machine (run, job, pid, start time, number of processes) and starts a wrapper for each.
With --kill they are ended, with everything they have started. Related processes, and processes with
LEASH_KEEP=1, are only listed.

Options:
  --kill                 end them
  --signal SIGNAL        first signal; default TERM
  --grace DURATION       time until SIGKILL; default 5s; 0 sends SIGKILL at once
  --include-related      also end related processes and those with LEASH_KEEP=1
  -v, --verbose          print on stderr what is done
  -h, --help             print this text

Exit code:
  0    none were found, or all of them have ended
  1    some were found, or some could not be ended
  255  an argument is invalid, or leash failed
`;

const COST = `leash cost: estimate what a fleet of jobs costs a month on Cloudflare.

Usage:
  leash cost [options]

Prints requests, rows, duration and storage of a month with their price on the paid plan, what they
are for, and whether the free plan is enough. It connects to nothing.

Example: 1,000 jobs that run for a minute every five minutes
  leash cost --jobs 1000 --runs-per-day 288 --minutes 1 --output 4

Options:
  --jobs N               the number of jobs; default 100
  --runs-per-day N       runs of each job a day; default 24
  --minutes N            how long a run takes, in minutes; default 5
  --output N             what a run prints, in KiB; default 16
  --watchers N           open dashboards that show a running job's output, on average over day and
                         night; default 0.1, which is 2.4 hours a day
  --kills-per-day N      kills a day, of all jobs together; default 1
  --bucket               an R2 bucket is bound, to which the output of ended runs moves
  --json                 print JSON
  -h, --help             print this text
`;

export const HELP: Readonly<Record<Topic, string>> = {
  leash: LEASH,
  run: RUN,
  flush: FLUSH,
  orphans: ORPHANS,
  cost: COST,
};

/** `leash run`. */
import { mkdir } from 'node:fs/promises';
import { ownLine } from '../../logging/log.ts';
import { type Detachment, extractDetachment } from '../../run/detach.ts';
import { run } from '../../run/run.ts';
import type { RunOptions } from '../../run/run-options.ts';
import { UsageError } from '../flags.ts';
import { parseRunArgs } from '../run-options.ts';
import { readSaltpeterRun, type SaltpeterRun } from '../saltpeter-variables.ts';
import { defineSubcommand } from '../subcommand.ts';

const HELP = `leash run: run a command under supervision.

Usage:
  leash run --job NAME [options] -- COMMAND ARG...
  leash run --job NAME [options] --shell -- 'COMMAND | COMMAND'

Runs COMMAND as cron would, passes its output and exit code on, reports both to the control plane,
and ends COMMAND and everything it has started when an operator requests it. The command never
waits for the network, unless it is to ask first. Output that can't be sent is spooled to disk and
sent later.

Example, in a crontab:
  0 3 * * *  /usr/local/bin/leash run --job backup --timeout 2h -- /usr/local/bin/backup --all

Names:
  --job NAME             the job that this run belongs to, e.g. backup (required)
  --instance NAME        the firing that it belongs to; default <job>_<epoch seconds>
  --machine NAME         this machine's name; default $LEASH_MACHINE, then the full host name

Asking first (docs/overlap.md):
  --overlap POLICY       if another run of the job is running: allow (default) starts all the same,
                         skip doesn't start, wait starts when it has ended, kill-old kills it first.
                         All but allow ask the control plane before the start
  --overlap-scope SCOPE  which runs count: of the whole job (job, the default), or those on this
                         machine (machine)
  --ask                  ask also with --overlap allow: COMMAND gets LEASH_FENCE, and doesn't start
                         under a brake or during maintenance
  --ask-timeout DURATION   wait this long for the first answer; default 3s
  --if-unreachable ACTION  without an answer: run (default) or skip
  --wait-timeout DURATION  skip after a wait of DURATION; default: wait on
  --skip-exit-code N     exit code of a run that is skipped; default 75

Limits and signals:
  --timeout DURATION       end the command when it has run for DURATION
  --idle-timeout DURATION  end it when it has printed nothing for DURATION
  --max-offline DURATION   end it when the control plane has been unreachable for DURATION: for
                           jobs that must never run unsupervised
  --max-memory SIZE        end it when it and what it has started occupy more than SIZE together
  --max-cpu DURATION       end it when they have used more CPU time than DURATION
  --signal SIGNAL          first signal of a limit, or of a kill that names none; default TERM
  --grace DURATION         time between the first signal and SIGKILL; default 5s; 0 sends SIGKILL
                           at once. Also after a signal to leash itself
  --wrapper-death ACTION   when leash itself is killed: keep the command running (default), or
                           kill it and everything it has started
  --leftovers ACTION       what COMMAND leaves running when it exits: tell (default) shows it on the
                           run's page, kill ends it as a limit would, ignore doesn't look for it
  --without-wrapper ACTION when leash can't run here (Node.js is missing, too old or can't start, or
                           leash itself is damaged): run the command unsupervised (default, unless
                           --max-offline is given), or refuse, with exit code 255

What the job is, for those who look at it or are alerted:
  --tag NAME             such as nightly or team:data, to filter by; may be repeated
  --owner TEXT           whom to ask
  --runbook URL          what to do when it fails; shown as a link
  --note TEXT            what else they should know

When runs are expected (a run that is late, missed or slow is shown, and alerts tell of it):
  --every DURATION       a run starts within DURATION of the start of the one before
  --schedule EXPRESSION  runs start at the times of a cron expression, such as '0 3 * * *'
  --tz ZONE              the time zone of --schedule, such as Europe/Berlin; default: that of this
                         machine
  --late-after DURATION  how much later a run may start; allow for --splay. Default: a tenth of the
                         time to the next one, from 1m to 1h
  --slow-after DURATION  a run that takes longer is slow; it continues

How the command runs:
  --splay DURATION       start it after a delay of up to DURATION, always the same for a job on a
                         machine, so that a fleet doesn't start it in the same second
  --shell                COMMAND is one argument, a command line for /bin/sh
  --cron                 marks a line that \`leash crontab\` has written; with --shell, $SHELL runs
                         it, as cron would
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

Settings come from flags, then the environment, then a file of KEY=VALUE lines: the one that
$LEASH_CONFIG names, else ~/.config/leash/leash.conf (not for root), else /etc/leash.conf. They are
LEASH_URL, LEASH_TOKEN, LEASH_TOKEN_FILE, LEASH_CA_FILE (additional certificates to trust),
LEASH_MACHINE, LEASH_STATE_DIR (the spool; default /var/lib/leash, or ~/.local/state/leash),
LEASH_LOG, LEASH_REDACT, HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY. The token is not passed on to
the command. Without a URL or a token the command runs unsupervised, and a line on stderr says so.

In the place of Saltpeter's wrapper: with $SP_COMMAND and without -- COMMAND, the variables
SP_JOB_NAME, SP_JOB_INSTANCE, SP_MACHINE_ID, SP_CWD, SP_USER, SP_TIMEOUT, SP_ALLOW_OVERLAP,
SP_LOCKFILE and SP_WRAPPER_LOGDIR count as flags, with --merge and --detach; real flags win. A run
that may not overlap with another one ends with 254.

SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGALRM, SIGXCPU and others to leash end the command: the signal
goes to everything it has started, and SIGKILL follows after the grace. SIGUSR1 and SIGUSR2 go to
COMMAND only; Ctrl-Z stops everything.

Exit code: the command's own (128+n when signal n ended it), except
  75   it asked and was not to start (or --skip-exit-code)
  124  --timeout or --idle-timeout ended it
  137  --max-memory ended it
  143  an operator's kill ended it, whether or not SIGTERM sufficed
  152  --max-cpu ended it
  253  --max-offline ended it
  255  it could not be started, its output could not be written to the stdout of leash (a full
       disk), an argument is invalid, or leash failed
`;

interface Start {
  readonly options: RunOptions;
  /** Null in the foreground. */
  readonly detachment: Detachment | null;
  /** Null unless it was started in the place of Saltpeter's wrapper. */
  readonly saltpeter: SaltpeterRun | null;
}

export function parseRun(argv: readonly string[], env: NodeJS.ProcessEnv): Start | null {
  const taken = extractDetachment(argv, env);
  if (taken === null) throw new UsageError('--detachment is for internal use only');
  const saltpeter = readSaltpeterRun(taken.rest, env, process.geteuid?.() === 0);
  const words =
    saltpeter === null ? taken.rest : [...saltpeter.flags, ...taken.rest, '--', ...saltpeter.command.command];
  const options = parseRunArgs(words, env);
  if (options === null) return null;
  return { options: { ...options, ...saltpeter?.command }, detachment: taken.detachment, saltpeter };
}

/** What Saltpeter's wrapper does before it leaves its caller. */
async function prepareAsSaltpeter({ detachment, saltpeter }: Start): Promise<void> {
  if (saltpeter === null || detachment !== null) return;
  for (const line of saltpeter.warnings) process.stderr.write(ownLine(line));
  // That it can't be created shows when the log is opened.
  if (saltpeter.logDirectory !== null) await mkdir(saltpeter.logDirectory, { recursive: true }).catch(() => {});
}

export const subcommand = defineSubcommand({
  help: HELP,
  parse: parseRun,
  run: async (start, { version }) => {
    await prepareAsSaltpeter(start);
    return run(start.options, start.detachment, version);
  },
});

/** `leash logs`. */
import { Glob, JobName } from '#protocol/names';
import { type LogsArguments, logsCommand } from '../../operator/logs/logs-command.ts';
import { duration, name, readFlagsAndWords, UsageError } from '../flags.ts';
import {
  OPERATOR_FLAGS,
  OPERATOR_HELP,
  type OperatorOptions,
  readOperatorFlags,
  runOperator,
} from '../operator-subcommand.ts';
import { defineSubcommand } from '../subcommand.ts';

const HELP = `leash logs: print what runs have printed, and follow it.

Usage:
  leash logs RUN [options]
  leash logs JOB [options]

RUN is the id of a run, or the end of one as leash ps shows it. JOB means its newest run; with
--since, every run of that time; with -f, all its runs that run and those that start later, until
Ctrl-C, each line after the machine's name.

Examples:
  leash logs -f backup
  leash logs --tail 100 7ZK3Q9QX

Options:
  -f, --follow           print what follows as well: of RUN, until it has ended
  --tail N               only the last N lines
  --since DURATION       with JOB: all its runs that ran within DURATION, the oldest first
  --stream stdout|stderr only what was printed there
  --job JOB              the job of RUN, if several jobs have a run with its id
  --machine NAME         with JOB: only on machines with this name, or that match this glob; may be
                         repeated
  --raw                  send control sequences to the terminal: colours, and whatever else the job
                         prints. Without it they are removed or shown as text. A file or a program
                         always gets the exact bytes

General:
${OPERATOR_HELP.replace("print the API's own JSON", 'with -f: one frame of output a line')}`;

interface LogsInvocation {
  readonly operator: OperatorOptions;
  readonly args: LogsArguments;
}

function parseLogs(argv: readonly string[]): LogsInvocation | null {
  const text = { type: 'string' } as const;
  const { values: flags, positionals } = readFlagsAndWords(argv, {
    ...OPERATOR_FLAGS,
    follow: { type: 'boolean', short: 'f' },
    tail: text,
    since: text,
    stream: text,
    job: text,
    machine: { type: 'string', multiple: true },
    raw: { type: 'boolean' },
  });
  if (flags.help) return null;
  const [word, ...others] = positionals;
  if (word === undefined || others.length > 0) throw new UsageError('leash logs takes one argument: a run or a job');
  if (flags.json && !flags.follow)
    throw new UsageError('--json requires -f: without it the output is printed as it is');
  const { stream } = flags;
  if (stream !== undefined && stream !== 'stdout' && stream !== 'stderr')
    throw new UsageError(`--stream ${stream}: use stdout or stderr`);
  if (flags.tail !== undefined && !/^\d{1,9}$/.test(flags.tail))
    throw new UsageError(`--tail ${flags.tail}: not a number of lines`);
  const operator = readOperatorFlags(flags);
  return {
    operator,
    args: {
      word: name('RUN or JOB', JobName, word),
      job: flags.job === undefined ? null : name('--job', JobName, flags.job),
      machines: (flags.machine ?? []).map((glob) => name('--machine', Glob, glob)),
      tail: flags.tail === undefined ? null : Number(flags.tail),
      sinceMs: duration('--since', flags.since),
      stream: stream ?? null,
      follows: flags.follow ?? false,
      isRaw: flags.raw ?? false,
      asJson: operator.asJson,
    },
  };
}

export const subcommand = defineSubcommand({
  help: HELP,
  parse: parseLogs,
  run: ({ operator, args }, program) => runOperator(operator, program, (context) => logsCommand(args, context)),
});

/** `leash logs`. */
import { Glob, JobName } from '#protocol/names';
import { logsCommand } from '../../operator/logs/logs-command.ts';
import { duration, name, oneOf, UsageError } from '../flags.ts';
import { defineOperatorSubcommand, operatorHelp } from '../operator-subcommand.ts';

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
${operatorHelp({ json: 'with -f: one frame of output a line' })}`;

const text = { type: 'string' } as const;
const STREAMS = ['stdout', 'stderr'] as const;

export const subcommand = defineOperatorSubcommand({
  help: HELP,
  flags: {
    follow: { type: 'boolean', short: 'f' },
    tail: text,
    since: text,
    stream: text,
    job: text,
    machine: { type: 'string', multiple: true },
    raw: { type: 'boolean' },
  },
  read: (flags, [word, ...others]) => {
    if (word === undefined || others.length > 0) throw new UsageError('leash logs takes one argument: a run or a job');
    if (flags.json && !flags.follow)
      throw new UsageError('--json requires -f: without it the output is printed as it is');
    if (flags.tail !== undefined && !/^\d{1,9}$/.test(flags.tail))
      throw new UsageError(`--tail ${flags.tail}: not a number of lines`);
    return {
      word: name('RUN or JOB', JobName, word),
      job: flags.job === undefined ? null : name('--job', JobName, flags.job),
      machines: (flags.machine ?? []).map((glob) => name('--machine', Glob, glob)),
      tail: flags.tail === undefined ? null : Number(flags.tail),
      sinceMs: duration('--since', flags.since),
      stream: oneOf('--stream', STREAMS, flags.stream),
      follows: flags.follow ?? false,
      isRaw: flags.raw ?? false,
    };
  },
  run: logsCommand,
});

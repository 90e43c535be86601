/** `leash kill`. */
import * as v from 'valibot';
import { KILL_SIGNALS, KillSignal } from '#protocol/kill';
import { MAX_GRACE_MS } from '#protocol/limits';
import { Glob, InstanceName } from '#protocol/names';
import { killCommand } from '../../operator/kill/kill-command.ts';
import type { KillOptions } from '../../operator/kill/selection.ts';
import { parseWord, type Word } from '../../operator/kill/words.ts';
import { duration, name, reason, signalName, UsageError } from '../flags.ts';
import { FOLLOW_FLAGS, readFollow } from '../follow-flags.ts';
import { defineOperatorSubcommand, operatorHelp } from '../operator-subcommand.ts';

const HELP = `leash kill: stop runs, with everything that they have started.

Usage:
  leash kill JOB... [options]
  leash kill RUN... [options]
  leash kill [JOB...] --machine NAME [options]

JOB is the name of a job, or a glob such as 'sync-*' (quote it). RUN is the id of a run, JOB/RUN, or
the end of an id as leash ps shows it. On a terminal it lists the runs that it will hit, and asks.
It kills exactly these, then waits and shows each step as the machines report it.

Examples:
  leash kill backup
  leash kill backup --machine 'web-*' --reason 'fills the disk'
  leash kill 7ZK3Q9QX --force

Which runs:
  --machine NAME         only on machines with this name, or that match this glob; may be repeated
  --instance NAME        only of this instance
  --include-late         also other runs that match, have started by now, and connect within ten
                         minutes: of machines that are disconnected at the moment

How:
  --signal SIGNAL        first signal: TERM, INT, HUP, QUIT, USR1, USR2 or KILL; default: each run's
                         own, which is TERM unless leash run --signal says otherwise
  --grace DURATION       time until SIGKILL; default: each run's own, 5s unless configured
  --force                SIGKILL at once; also ends the grace period of an earlier kill
  --include-related      also end related processes and those with LEASH_KEEP=1
  --reason TEXT          why; shown with the kill, to the job's wrapper, and in the audit log

Confirming and waiting:
  -y, --yes              don't ask; required where there is no terminal to ask on
  -n, --dry-run          show what would be hit, and kill nothing
  --wait DURATION        how long to wait; default: the longest grace period and a minute
  --no-wait              return as soon as the kill is stored

General:
${operatorHelp({
  exitCodes: `0 done, 1 failed, 2 usage, 3 nothing matches, 4 not allowed,
5 not over in time, 6 out of reach, 130 Ctrl-C. 1 also means that a process survives or that a run
is lost. After 5, 6 and 130 a kill that was stored is carried out all the same.`,
})}`;

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

export const subcommand = defineOperatorSubcommand({
  help: HELP,
  flags: {
    ...FOLLOW_FLAGS,
    machine: { type: 'string', multiple: true },
    instance: text,
    'include-late': flag,
    signal: text,
    grace: text,
    force: flag,
    'include-related': flag,
    reason: text,
  },
  read: (flags, words) => {
    const machines = (flags.machine ?? [])
      .flatMap((list) => list.split(','))
      .map((glob) => name('--machine', Glob, glob));
    const instance = flags.instance === undefined ? null : name('--instance', InstanceName, flags.instance);
    if (words.length === 0 && machines.length === 0 && instance === null)
      throw new UsageError("name what to kill: a job, a run, or --machine; leash kill '*' kills every run");
    return {
      ...readFollow(flags),
      selector: { words: words.map(wordOf), machines, instance },
      options: readOptions(flags),
      includeLate: flags['include-late'] ?? false,
    };
  },
  run: killCommand,
});

function wordOf(word: string): Word {
  const parsed = parseWord(word);
  if (typeof parsed === 'string') throw new UsageError(parsed);
  return parsed;
}

interface HowFlags {
  readonly signal?: string | undefined;
  readonly grace?: string | undefined;
  readonly force?: boolean | undefined;
  readonly 'include-related'?: boolean | undefined;
  readonly reason?: string | undefined;
}

function readOptions(flags: HowFlags): KillOptions {
  if (flags.force && (flags.signal !== undefined || flags.grace !== undefined))
    throw new UsageError('--force is SIGKILL at once: it excludes --signal and --grace');
  const graceMs = duration('--grace', flags.grace);
  if (graceMs !== null && graceMs > MAX_GRACE_MS) throw new UsageError(`--grace ${flags.grace}: at most a day`);
  const why = reason(flags.reason);
  return {
    ...(flags.signal !== undefined && { signal: killSignal(flags.signal) }),
    ...(graceMs !== null && { grace_seconds: graceMs / 1_000 }),
    ...(flags.force && ({ signal: 'SIGKILL', grace_seconds: 0 } as const)),
    ...(flags['include-related'] && ({ include: 'related' } as const)),
    ...(why !== null && { reason: why }),
  };
}

function killSignal(given: string): KillSignal {
  const signal = v.safeParse(KillSignal, signalName('--signal', given));
  if (signal.success) return signal.output;
  const known = KILL_SIGNALS.map((each) => each.slice('SIG'.length)).join(', ');
  throw new UsageError(`--signal ${given}: a kill can begin with ${known}`);
}

/** `leash brake`. */
import { brakeCommand } from '../../operator/brakes/brake-command.ts';
import { BRAKE_FLAGS, readEnd, readGlobs } from '../brake-flags.ts';
import { reason, UsageError } from '../flags.ts';
import { FOLLOW_FLAGS, readFollow } from '../follow-flags.ts';
import { defineOperatorSubcommand, operatorHelp } from '../operator-subcommand.ts';

const HELP = `leash brake: stop jobs, and keep them stopped for a while.

Usage:
  leash brake JOB... --for DURATION [options]

A brake is a kill that stands: it kills the runs that match now, and every later one as soon as it
connects. A run that asks before its start (leash run --ask) doesn't start at all. JOB is the name
of a job, or a glob such as 'sync-*' (quote it). On a terminal it lists the runs that it will kill
now, and asks. Then it waits and shows each step, as leash kill does. leash brakes lists what
stands, and ends it earlier.

Examples:
  leash brake 'sync-*' --for 2h --reason 'the upstream data is broken'
  leash brake '*' --machine 'db-*' --for 30m

Options:
  --for DURATION         when it ends by itself: e.g. 30m, 2h, 7d; at most 30d
  --machine NAME         only on machines with this name, or that match this glob; may be repeated
  --reason TEXT          why; shown with the brake and its kills, and in the audit log
  -y, --yes              don't ask; required where there is no terminal to ask on
  -n, --dry-run          show what would be killed now; set no brake, and kill nothing
  --wait DURATION        how long to wait for the kills; default: the longest grace period and a
                         minute
  --no-wait              return as soon as the brake is set
${operatorHelp({
  exitCodes: `0 done, 1 failed, 2 usage, 4 not allowed, 5 the kills are not over
in time, 6 out of reach, 130 Ctrl-C. 1 also means that a process survives or that a run is lost.
After 1, 5, 6 and 130 a brake that was set stands all the same.`,
})}`;

export const subcommand = defineOperatorSubcommand({
  help: HELP,
  flags: {
    ...BRAKE_FLAGS,
    ...FOLLOW_FLAGS,
    machine: { type: 'string', multiple: true },
  },
  read: (flags, words) => {
    if (words.length === 0) throw new UsageError("name what to brake: a job or a glob; '*' is every job");
    return {
      ...readFollow(flags),
      order: {
        jobs: readGlobs('JOB', words),
        machines: readGlobs('--machine', flags.machine ?? []),
        forMs: readEnd(flags.for),
        reason: reason(flags.reason),
        kill: true,
      },
    };
  },
  run: brakeCommand,
});

/** `leash maintenance`. */
import { maintenanceCommand } from '../../operator/brakes/maintenance-command.ts';
import { BRAKE_FLAGS, readEnd, readGlobs } from '../brake-flags.ts';
import { reason, UsageError } from '../flags.ts';
import { defineOperatorSubcommand, operatorHelp } from '../operator-subcommand.ts';

const HELP = `leash maintenance: begin maintenance of jobs, machines, or everything.

Usage:
  leash maintenance --job JOB --for DURATION [options]
  leash maintenance --machine NAME --for DURATION [options]
  leash maintenance --all --for DURATION [options]

While it lasts, runs that ask before their start (leash run --ask) don't start. Others run as
always, and raise no alerts. Nothing is killed: leash brake does that. leash brakes lists what
stands, and ends it earlier. To empty a machine before patching, see leash drain.

Examples:
  leash maintenance --machine db-1 --for 1h --reason 'kernel update'
  leash maintenance --job 'report-*' --for 30m

Options:
  --job JOB              of this job, or of those that match this glob; may be repeated
  --machine NAME         on this machine, or on those that match this glob; may be repeated
  --all                  of all jobs on all machines
  --for DURATION         when it ends by itself: e.g. 30m, 2h, 7d; at most 30d
  --reason TEXT          why; shown with it, and in the audit log
${operatorHelp()}`;

export const subcommand = defineOperatorSubcommand({
  help: HELP,
  flags: {
    ...BRAKE_FLAGS,
    job: { type: 'string', multiple: true },
    machine: { type: 'string', multiple: true },
    all: { type: 'boolean' },
  },
  onWord: 'leash maintenance takes no arguments: use --job, --machine or --all',
  read: (flags) => {
    const jobs = readGlobs('--job', flags.job ?? []);
    const machines = readGlobs('--machine', flags.machine ?? []);
    const isNarrow = jobs.length + machines.length > 0;
    if (isNarrow === (flags.all ?? false)) {
      throw new UsageError(
        isNarrow ? '--all excludes --job and --machine' : 'name what it is for: --job, --machine, or --all',
      );
    }
    return { order: { jobs, machines, forMs: readEnd(flags.for), reason: reason(flags.reason), kill: false } };
  },
  run: maintenanceCommand,
});

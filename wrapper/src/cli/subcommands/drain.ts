/** `leash drain`. */
import { drainCommand } from '../../operator/brakes/drain-command.ts';
import { BRAKE_FLAGS, readEnd, readGlobs } from '../brake-flags.ts';
import { duration, reason, UsageError } from '../flags.ts';
import { defineOperatorSubcommand, operatorHelp } from '../operator-subcommand.ts';

const HELP = `leash drain: begin maintenance of machines, and wait until nothing runs there.

Usage:
  leash drain MACHINE... --for DURATION --wait [options]

Runs that ask before their start (leash run --ask) don't start on these machines from now on. What
runs there ends by itself, unless --kill-after says otherwise. Jobs that don't ask start all the
same: pause them in cron. MACHINE is a name, or a glob such as 'web-*' (quote it). After patching,
end the maintenance with leash brakes --end.

Examples:
  leash drain db-1 --for 2h --wait --reason 'kernel update' && ssh db-1 reboot
  leash drain 'web-1*' --for 1h --wait --kill-after 10m

Options:
  --for DURATION         when the maintenance ends by itself: e.g. 30m, 2h, 7d; at most 30d
  --wait                 wait until nothing runs there, at most until the maintenance ends; without
                         it, say what runs there
  --kill-after DURATION  after this time, kill what still runs there; with --wait only
  --reason TEXT          why; shown with it, and in the audit log
${operatorHelp({
  exitCodes: `0 done: with --wait, nothing runs there. 1 failed, also if a run that was there is
lost, so that whether it still runs is unknown. 2 usage, 4 not allowed, 5 not empty in time,
6 out of reach, 130 Ctrl-C`,
})}`;

export const subcommand = defineOperatorSubcommand({
  help: HELP,
  flags: { ...BRAKE_FLAGS, wait: { type: 'boolean' }, 'kill-after': { type: 'string' } },
  read: (flags, words) => {
    if (words.length === 0) throw new UsageError('name the machine to drain');
    const isWaiting = flags.wait ?? false;
    const killAfterMs = duration('--kill-after', flags['kill-after']);
    if (killAfterMs !== null && !isWaiting) throw new UsageError('--kill-after requires --wait');
    return {
      machines: readGlobs('MACHINE', words),
      forMs: readEnd(flags.for),
      reason: reason(flags.reason),
      isWaiting,
      killAfterMs,
    };
  },
  run: drainCommand,
});

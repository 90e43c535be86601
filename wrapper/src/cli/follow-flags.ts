/** What the subcommands share that confirm kills and follow them. */
import { duration, UsageError } from './flags.ts';

/** Spread into the flags of each. */
export const FOLLOW_FLAGS = {
  yes: { type: 'boolean', short: 'y' },
  'dry-run': { type: 'boolean', short: 'n' },
  wait: { type: 'string' },
  'no-wait': { type: 'boolean' },
} as const;

interface FollowFlags {
  readonly yes?: boolean | undefined;
  readonly 'dry-run'?: boolean | undefined;
  readonly wait?: string | undefined;
  readonly 'no-wait'?: boolean | undefined;
}

export function readFollow(flags: FollowFlags) {
  if (flags.wait !== undefined && flags['no-wait']) throw new UsageError('--wait and --no-wait are mutually exclusive');
  return {
    isConfirmed: flags.yes ?? false,
    isDryRun: flags['dry-run'] ?? false,
    waitMs: flags['no-wait'] ? 0 : duration('--wait', flags.wait),
  };
}

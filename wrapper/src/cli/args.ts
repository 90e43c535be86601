/** Parses the command line. */
import { DEFAULT_GRACE_MS } from '#protocol/limits';
import { RunId } from '#protocol/names';
import type { Fleet } from '#shared/fleet-cost';
import { extractGuardedRun } from '../guardian/guardian.ts';
import { type Detachment, extractDetachment } from '../run/detach.ts';
import type { RunOptions } from '../run/run-options.ts';
import { amount, duration, name, readFlags, readFlagsAndWords, signalName, UsageError } from './flags.ts';
import { parseRunArgs } from './run-options.ts';

export interface FlushOptions {
  /** How long to keep trying; null tries each run once. */
  readonly forMs: number | null;
  readonly url: string | null;
  readonly tokenFile: string | null;
  readonly logFile: string | null;
  readonly verbose: boolean;
}

/** How the processes of an orphan are ended. */
export interface KillOptions {
  readonly signal: NodeJS.Signals;
  readonly graceMs: number;
  /** Whether related processes are ended, too. */
  readonly includeRelated: boolean;
}

export interface OrphansOptions {
  /** Only these; all when empty. */
  readonly runs: readonly string[];
  readonly kill: KillOptions | null;
  readonly verbose: boolean;
}

export interface CostOptions {
  readonly fleet: Fleet;
  readonly asJson: boolean;
}

export const TOPICS = ['leash', 'run', 'flush', 'orphans', 'cost'] as const;
export type Topic = (typeof TOPICS)[number];

export type Invocation =
  | { readonly kind: 'help'; readonly topic: Topic }
  | { readonly kind: 'version' }
  | { readonly kind: 'run'; readonly args: RunOptions; readonly detachment: Detachment | null }
  | { readonly kind: 'flush'; readonly args: FlushOptions }
  | { readonly kind: 'orphans'; readonly args: OrphansOptions }
  | { readonly kind: 'cost'; readonly args: CostOptions }
  /** Internal, started by guardians. With `kill` the run is ended instead of taken over. */
  | { readonly kind: 'adopt'; readonly run: string; readonly kill: KillOptions | null }
  | { readonly kind: 'usage_error'; readonly message: string; readonly topic: Topic };

/** Reads the arguments that follow `leash`, and removes leash's internal variables from `env`. */
export function parseInvocation(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Invocation {
  const [first, ...rest] = argv;
  const topic = TOPICS.find((each) => each === first) ?? 'leash';
  try {
    return parse(first, rest, env);
  } catch (error) {
    if (error instanceof UsageError) return { kind: 'usage_error', message: error.message, topic };
    throw error;
  }
}

function parse(first: string | undefined, rest: readonly string[], env: NodeJS.ProcessEnv): Invocation {
  switch (first) {
    case undefined:
    case '--help':
    case '-h':
    case 'help':
      return { kind: 'help', topic: TOPICS.find((each) => each === rest[0]) ?? 'leash' };
    case '--version':
    case '-V':
      return { kind: 'version' };
    case 'run': {
      const taken = extractDetachment(rest, env);
      if (taken === null) throw new UsageError('--detachment is for internal use only');
      const { detachment, rest: words } = taken;
      const args = parseRunArgs(words);
      return args === null ? { kind: 'help', topic: 'run' } : { kind: 'run', args, detachment };
    }
    case 'flush':
      return parseFlush(rest);
    case 'orphans':
      return parseOrphans(rest);
    case 'cost':
      return parseCost(rest);
    case 'adopt': {
      const parsed = parseOrphans(rest);
      if (parsed.kind !== 'orphans') return parsed;
      // Only guardians of older versions pass the run as an argument.
      const [run = extractGuardedRun(env) ?? ''] = parsed.args.runs;
      return { kind: 'adopt', run: name('RUN', RunId, run), kill: parsed.args.kill };
    }
    default:
      throw new UsageError(`unknown command: ${first}`);
  }
}

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

function parseFlush(argv: readonly string[]): Invocation {
  const flags = readFlags(
    argv,
    {
      for: text,
      url: text,
      'token-file': text,
      log: text,
      verbose: { ...flag, short: 'v' },
      help: { ...flag, short: 'h' },
    },
    'leash flush takes no arguments: it sends every unsent run',
  );
  if (flags.help) return { kind: 'help', topic: 'flush' };
  return {
    kind: 'flush',
    args: {
      forMs: duration('--for', flags.for),
      url: flags.url ?? null,
      tokenFile: flags['token-file'] ?? null,
      logFile: flags.log ?? null,
      verbose: flags.verbose ?? false,
    },
  };
}

function parseOrphans(argv: readonly string[]): Invocation {
  const { values: flags, positionals } = readFlagsAndWords(argv, {
    kill: flag,
    'include-related': flag,
    signal: text,
    grace: text,
    verbose: { ...flag, short: 'v' },
    help: { ...flag, short: 'h' },
  });
  if (flags.help) return { kind: 'help', topic: 'orphans' };
  const isManner = flags.signal !== undefined || flags.grace !== undefined || flags['include-related'] === true;
  if (!flags.kill && isManner) throw new UsageError('--signal, --grace and --include-related require --kill');
  return {
    kind: 'orphans',
    args: {
      runs: positionals.map((word) => name('RUN', RunId, word)),
      kill: flags.kill
        ? {
            signal: flags.signal === undefined ? 'SIGTERM' : signalName('--signal', flags.signal),
            graceMs: duration('--grace', flags.grace) ?? DEFAULT_GRACE_MS,
            includeRelated: flags['include-related'] ?? false,
          }
        : null,
      verbose: flags.verbose ?? false,
    },
  };
}

/** What `leash cost` computes with where no flag says otherwise: as its help says. */
export const DEFAULT_FLEET: Fleet = {
  jobs: 100,
  runsPerDay: 24,
  minutesPerRun: 5,
  outputKibPerRun: 16,
  watchers: 0.1,
  killsPerDay: 1,
  hasBucket: false,
};

function parseCost(argv: readonly string[]): Invocation {
  const flags = readFlags(
    argv,
    {
      jobs: text,
      'runs-per-day': text,
      minutes: text,
      output: text,
      watchers: text,
      'kills-per-day': text,
      bucket: flag,
      json: flag,
      help: { ...flag, short: 'h' },
    },
    'leash cost takes no arguments: the fleet is described by flags',
  );
  if (flags.help) return { kind: 'help', topic: 'cost' };
  return {
    kind: 'cost',
    args: {
      fleet: {
        jobs: amount('--jobs', flags.jobs, DEFAULT_FLEET.jobs),
        runsPerDay: amount('--runs-per-day', flags['runs-per-day'], DEFAULT_FLEET.runsPerDay),
        minutesPerRun: amount('--minutes', flags.minutes, DEFAULT_FLEET.minutesPerRun),
        outputKibPerRun: amount('--output', flags.output, DEFAULT_FLEET.outputKibPerRun),
        watchers: amount('--watchers', flags.watchers, DEFAULT_FLEET.watchers),
        killsPerDay: amount('--kills-per-day', flags['kills-per-day'], DEFAULT_FLEET.killsPerDay),
        hasBucket: flags.bucket ?? DEFAULT_FLEET.hasBucket,
      },
      asJson: flags.json ?? false,
    },
  };
}

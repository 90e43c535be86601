/** `leash orphans`. */
import { DEFAULT_GRACE_MS } from '#protocol/limits';
import { RunId } from '#protocol/names';
import { EXIT_ERRORED } from '#protocol/run-state';
import type { Environment } from '../../config/config-file.ts';
import { configure } from '../../config/control-plane.ts';
import { rescueOrphans, type SuccessorSettings } from '../../guardian/rescue.ts';
import { type Log, printable } from '../../logging/log.ts';
import {
  findOrphans,
  type KillOutcome,
  killOrphan,
  type Orphan,
  removeSpent,
  wrapperOf,
} from '../../orphans/orphans.ts';
import type { RunFacts } from '../../state/run-file.ts';
import { openStateOrFallback, type State } from '../../state/state-directory.ts';
import { duration, name, readFlagsAndWords, signalName, UsageError } from '../flags.ts';
import { type LocalContext, runLocally } from '../local-operation.ts';
import { defineSubcommand } from '../subcommand.ts';

/** Some are left, or a named run is unknown. */
export const EXIT_LEFT = 1;

const HELP = `leash orphans: find commands that have lost their wrapper, and take them over or end them.

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

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

export function parseOrphans(argv: readonly string[]): OrphansOptions | null {
  const { values: flags, positionals } = readFlagsAndWords(argv, {
    kill: flag,
    'include-related': flag,
    signal: text,
    grace: text,
    verbose: { ...flag, short: 'v' },
    help: { ...flag, short: 'h' },
  });
  if (flags.help) return null;
  const isManner = flags.signal !== undefined || flags.grace !== undefined || flags['include-related'] === true;
  if (!flags.kill && isManner) throw new UsageError('--signal, --grace and --include-related require --kill');
  return {
    runs: positionals.map((word) => name('RUN', RunId, word)),
    kill: flags.kill
      ? {
          signal: flags.signal === undefined ? 'SIGTERM' : signalName('--signal', flags.signal),
          graceMs: duration('--grace', flags.grace) ?? DEFAULT_GRACE_MS,
          includeRelated: flags['include-related'] ?? false,
        }
      : null,
    verbose: flags.verbose ?? false,
  };
}

export const subcommand = defineSubcommand({ help: HELP, parse: parseOrphans, run: runOrphans });

/** @returns the exit code to leave with */
export function runOrphans(options: OrphansOptions): Promise<number> {
  return runLocally({ name: 'orphans', logFile: null, verbose: options.verbose }, (operation) =>
    orphans(options, operation),
  );
}

async function orphans({ runs, kill }: OrphansOptions, { settings, log, print }: LocalContext): Promise<number> {
  const state = await openStateOrFallback(settings);
  if (state.kind === 'unusable') {
    log.warn(`cannot use the state directory: ${state.why}`);
    return EXIT_ERRORED;
  }
  const successor = successorSettings(settings);
  const found = await findOrphans(state);
  const chosen = runs.length === 0 ? found : found.filter(({ facts }) => runs.includes(facts.run));
  const unknown = runs.filter((run) => !chosen.some(({ facts }) => facts.run === run));
  for (const run of unknown) log.warn(await describeUnknown(run, state));
  if (chosen.length === 0 && unknown.length === 0) print('no orphans found');
  const left =
    kill === null
      ? await takeOver(chosen, state, successor, log, print)
      : await end(chosen, kill, successor, log, print);
  await removeSpent(state);
  return left === 0 && unknown.length === 0 ? 0 : EXIT_LEFT;
}

function successorSettings(settings: Environment): SuccessorSettings {
  const configuration = configure({ url: null, tokenFile: null }, settings);
  return {
    environment: process.env,
    controlPlane: configuration.kind === 'supervised' ? configuration.controlPlane : null,
  };
}

/** @returns how many have been found */
async function takeOver(
  found: readonly Orphan[],
  state: State,
  successor: SuccessorSettings,
  log: Log,
  print: (line: string) => void,
): Promise<number> {
  show(found, print);
  const rescued = new Set(await rescueOrphans(state, successor, log));
  const left = found.filter(({ facts }) => !rescued.has(facts.run));
  if (rescued.size > 0)
    print(
      `${left.length === 0 ? 'all' : rescued.size} being taken over by new wrappers: they can be seen and stopped again`,
    );
  const [one] = left;
  if (one !== undefined)
    print(`${left.length} can't be taken over: ${whyNot(one.facts)}; \`leash orphans --kill\` ends them`);
  return found.length;
}

function whyNot({ control_plane: target }: RunFacts): string {
  if (target?.token_file === null) return 'its token was in LEASH_TOKEN; set LEASH_TOKEN and LEASH_URL as they were';
  return 'its end has been reported, or no process could be started';
}

/** @returns how many processes could not be ended */
async function end(
  found: readonly Orphan[],
  how: KillOptions,
  successor: SuccessorSettings,
  log: Log,
  print: (line: string) => void,
): Promise<number> {
  const survivors = await Promise.all(
    found.map(async (orphan) => {
      const ended = await killOrphan(orphan, how, successor, log);
      print(outcome(orphan, ended));
      return ended.survivors;
    }),
  );
  return survivors.flat().length;
}

async function describeUnknown(run: string, state: State): Promise<string> {
  const wrapper = await wrapperOf(run, state);
  if (wrapper === null) return `${run} is not an orphan of this user on this machine`;
  return `${run} is no longer an orphan: process ${wrapper} has taken it over; to end it, run kill -TERM ${wrapper}`;
}

const COLUMNS = ['RUN', 'JOB', 'PID', 'STARTED', 'PROCESSES', 'COMMAND'] as const;

function show(found: readonly Orphan[], print: (line: string) => void): void {
  if (found.length === 0) return;
  const rows = [COLUMNS, ...found.map(rowOf)];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows)
    print(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}

function rowOf({ facts, members }: Orphan): string[] {
  const started = new Date(facts.started_at_ms).toISOString().replace(/\.\d+Z$/, 'Z');
  const pid = String(facts.process_tree?.leader.pid ?? '');
  return [facts.run, facts.job, pid, started, String(members.length), printable(facts.command_line)];
}

function outcome({ facts, members }: Orphan, { survivors, related }: KillOutcome): string {
  const end = survivors.length === 0 ? `ended, ${members.length} processes` : `could not end ${survivors.join(', ')}`;
  const alone = related.length === 0 ? '' : `; related, not killed: ${related.join(', ')}`;
  return `run ${facts.run} of ${facts.job}: ${end}${alone}`;
}

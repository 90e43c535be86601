/** `leash orphans`. */
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
import type { KillOptions, OrphansOptions } from '../args.ts';
import { runSubcommand, type SubcommandContext } from './subcommand.ts';

/** Some are left, or a named run is unknown. */
export const EXIT_LEFT = 1;

/** @returns the exit code to leave with */
export function orphansCommand(args: OrphansOptions): Promise<number> {
  return runSubcommand({ name: 'orphans', logFile: null, verbose: args.verbose }, (operation) =>
    orphans(args, operation),
  );
}

async function orphans({ runs, kill }: OrphansOptions, { settings, log, print }: SubcommandContext): Promise<number> {
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

/** `leash orphans`. */
import { EXIT_ERRORED } from '#protocol/run-state';
import type { OrphansArgs } from '../cli/args.ts';
import type { Environment } from '../cli/config-file.ts';
import { type Operation, operate } from '../cli/operate.ts';
import { FAMILY_VARIABLE } from '../guardian/guardian.ts';
import type { Log } from '../log.ts';
import { type ProcessFamily, processFamily } from '../processes/family.ts';
import { openState } from '../run/state.ts';
import { readFamily } from '../spool/run-facts.ts';
import { endFamily } from '../terminate/end-family.ts';
import { endOrphan, findOrphans, type Orphan, removeSpent } from './orphans.ts';

/** Some are left, or one that was named is not known. */
const EXIT_LEFT = 1;

/** @returns the exit code to leave with */
export function orphansCommand(args: OrphansArgs): Promise<number> {
  return operate({ name: 'orphans', logFile: null, verbose: args.verbose }, (operation) => orphans(args, operation));
}

async function orphans({ runs, kill }: OrphansArgs, { settings, log, say }: Operation): Promise<number> {
  const own = readFamily(process.env[FAMILY_VARIABLE] ?? '');
  if (own !== null && kill !== null) return endForGuardian(processFamily(own), kill, settings, log);
  const state = await openState(settings);
  if (state.kind === 'unusable') {
    log.tell(`the state directory can't be used: ${state.why}`);
    return EXIT_ERRORED;
  }
  const found = await findOrphans(state);
  const chosen = runs.length === 0 ? found : found.filter(({ facts }) => runs.includes(facts.run));
  const unknown = runs.filter((run) => !chosen.some(({ facts }) => facts.run === run));
  for (const run of unknown) log.tell(`${run} is not an orphan of this user on this machine`);
  if (chosen.length === 0 && unknown.length === 0) say('there are no orphans');
  if (kill === null) {
    show(chosen, say);
    await removeSpent(state);
    return chosen.length === 0 && unknown.length === 0 ? 0 : EXIT_LEFT;
  }
  const survivors = await Promise.all(
    chosen.map(async (orphan) => {
      const alive = await endOrphan(orphan, kill, log);
      say(outcome(orphan, alive));
      return alive;
    }),
  );
  await removeSpent(state);
  return survivors.flat().length === 0 && unknown.length === 0 ? 0 : EXIT_LEFT;
}

/** By what the guardian knows of the run, which has a record only where there is a disk for it, and not at once. */
async function endForGuardian(
  family: ProcessFamily,
  how: NonNullable<OrphansArgs['kill']>,
  settings: Environment,
  log: Log,
): Promise<number> {
  const survivors = await endFamily(family, how, log);
  family.release();
  const state = await openState(settings);
  if (state.kind === 'usable') await removeSpent(state);
  return survivors.length === 0 ? 0 : EXIT_LEFT;
}

const COLUMNS = ['RUN', 'JOB', 'PID', 'STARTED', 'PROCESSES', 'COMMAND'] as const;

function show(found: readonly Orphan[], say: (line: string) => void): void {
  if (found.length === 0) return;
  const rows = [COLUMNS, ...found.map(rowOf)];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows)
    say(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}

function rowOf({ facts, members }: Orphan): string[] {
  const started = new Date(facts.started_at_ms).toISOString().replace(/\.\d+Z$/, 'Z');
  const pid = String(facts.family?.leader.pid ?? '');
  return [facts.run, facts.job, pid, started, String(members.length), facts.command.replace(/\p{Cc}/gu, '?')];
}

function outcome({ facts, members }: Orphan, survivors: readonly number[]): string {
  const what = `run ${facts.run} of ${facts.job}`;
  return survivors.length === 0
    ? `${what}: ended, ${members.length} processes`
    : `${what}: could not end ${survivors.join(', ')}`;
}

/** `leash uninstall`. */
import { existsSync } from 'node:fs';
import { rm, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DEFAULT_CONFIG_PATH, userConfigPath } from '../../config/config-file.ts';
import { hasCode } from '../../host/error-code.ts';
import { type InstalledProgram, installedProgram } from '../../install/installed-program.ts';
import { placesThatRun, processesThatRun } from '../../install/leash-users.ts';
import { describeError } from '../../logging/log.ts';
import { EXIT } from '../../operator/exit-codes.ts';
import { stateRoots } from '../../state/fallback-directory.ts';
import { listNames } from '../../state/files.ts';
import { type ListedRun, listRuns } from '../../state/run-listing.ts';
import { openStateOrFallback, type State } from '../../state/state-directory.ts';
import { readFlags } from '../flags.ts';
import { type LocalContext, runLocally } from '../local-operation.ts';
import { defineSubcommand } from '../subcommand.ts';

const MOST_LISTED = 10;

const HELP = `leash uninstall: remove leash from this machine.

Usage:
  leash uninstall [--force] [--purge]

Removes the program, the settings and the token that install.sh has written: for all users when
called by root, else those of the user who calls it. Refuses while something needs leash: runs that
are running, ends and output that are not sent yet, crontabs and units that call it, whose jobs
would no longer run. Deletes neither the token on the control plane nor runs that are stored there.

Options:
  --force                also if something needs it
  --purge                also remove the state directory, with all output that is not sent
  -h, --help             print this text

Exit code:
  0    removed
  1    not removed, or not all of it; it says why
  2    an argument is invalid
`;

export interface UninstallOptions {
  readonly isForced: boolean;
  readonly isPurge: boolean;
}

function parseUninstall(argv: readonly string[]): UninstallOptions | null {
  const flags = readFlags(
    argv,
    { force: { type: 'boolean' }, purge: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    'leash uninstall takes no arguments',
  );
  return flags.help ? null : { isForced: flags.force ?? false, isPurge: flags.purge ?? false };
}

export const subcommand = defineSubcommand({
  help: HELP,
  parse: parseUninstall,
  run: (options) =>
    runLocally({ name: 'uninstall', logFile: null, verbose: false, failureCode: EXIT.failed }, (context) =>
      uninstall(options, context),
    ),
});

async function uninstall(options: UninstallOptions, { settings, log, print }: LocalContext): Promise<number> {
  const installed = await installedProgram();
  if (installed.kind === 'packaged') {
    log.warn(`not removed: ${installed.path} belongs to a package; ${installed.removeHint}`);
    return EXIT.failed;
  }
  // Its settings would go, and the program stay; or those of one, and the program of another.
  const { uid } = await stat(installed.path);
  if (uid !== process.getuid?.()) {
    log.warn(`not removed: ${installed.path} belongs to another user (uid ${uid}): run it as that user`);
    return EXIT.failed;
  }
  const state = await openStateOrFallback(settings);
  const usable = state.kind === 'unusable' ? null : state;
  const needs = await whatNeedsIt(installed, usable);
  if (needs.length > 0 && !options.isForced) {
    log.warn('not removed, because it is needed (--force removes it all the same):');
    for (const line of needs) log.warn(`  ${line}`);
    return EXIT.failed;
  }
  for (const line of needs) log.warn(`removed although ${line}`);

  let isLeft = false;
  // The program last: while something is left, it can be called again.
  for (const path of [...ownFiles(installed.path), installed.path]) {
    const outcome = await remove(path);
    if (outcome === 'removed') print(`removed ${path}`);
    else if (outcome !== 'absent') {
      log.warn(`could not remove ${path}: ${outcome}`);
      isLeft = true;
    }
  }
  await Promise.all(ownDirectories(installed.path).map((path) => rmdir(path).catch(() => undefined)));
  if (usable !== null) await removeState(options, usable, print);
  return isLeft ? EXIT.failed : EXIT.done;
}

/** Settings, token, and the link to a Node.js, where install.sh writes them. */
function ownFiles(program: string): string[] {
  const conf = userConfigPath(process.env) ?? DEFAULT_CONFIG_PATH;
  const token = conf === DEFAULT_CONFIG_PATH ? '/etc/leash.token' : join(dirname(conf), 'token');
  return [conf, token, join(dirname(program), '..', 'lib', 'leash', 'node')];
}

/** Only if they are empty: the user's own may hold what `leash login` has written. */
function ownDirectories(program: string): string[] {
  const conf = userConfigPath(process.env);
  return [join(dirname(program), '..', 'lib', 'leash'), ...(conf === null ? [] : [dirname(conf)])];
}

async function remove(path: string): Promise<string> {
  try {
    await unlink(path);
    return 'removed';
  } catch (error) {
    return hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR') ? 'absent' : describeError(error);
  }
}

async function removeState({ isPurge }: UninstallOptions, { directory }: State, print: (line: string) => void) {
  for (const root of (await stateRoots(directory)).filter((each) => existsSync(each))) {
    const isEmpty = (await listNames(join(root, 'runs'))).length === 0;
    if (!isEmpty && !isPurge) {
      print(`left ${root}, with the records and the unsent output of runs: rm -r ${root} removes it`);
      continue;
    }
    const own = (await listNames(root)).filter((name) => name === 'runs' || name.startsWith('flusher-'));
    await Promise.all(own.map((name) => rm(join(root, name), { recursive: true, force: true })));
    // What else somebody keeps there is not ours.
    const isRemoved = await rmdir(root).then(
      () => true,
      () => false,
    );
    if (isRemoved) print(`removed ${root}`);
    else print(`left ${root}, which holds other files`);
  }
}

async function whatNeedsIt({ path }: InstalledProgram, state: State | null): Promise<string[]> {
  const [places, processes, runs] = await Promise.all([
    placesThatRun(path),
    processesThatRun(path),
    state === null ? [] : listRuns(state.directory, state.processes),
  ]);
  const running = runs.filter(({ free, ended }) => !free && !ended);
  const unsent = runs.filter((run) => !running.includes(run) && !run.uploaded);
  return [
    ...(running.length > 0
      ? [`${counted(running.length, 'run is', 'runs are')} running: ${listed(running.map(nameOf))}`]
      : []),
    ...(running.length === 0 && processes.length > 0
      ? [`${counted(processes.length, 'process runs', 'processes run')} it: ${listed(processes.map(String))}`]
      : []),
    ...(unsent.length > 0
      ? [`${counted(unsent.length, 'run has', 'runs have')} an end or output that is not sent yet: run leash flush`]
      : []),
    ...(places.length > 0 ? [`jobs are started by it, which would no longer run: ${listed(places)}`] : []),
  ];
}

function nameOf({ run, facts }: ListedRun): string {
  return facts.kind === 'read' ? `${facts.value.job} (${run})` : run;
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

function listed(names: readonly string[]): string {
  const rest = names.length - MOST_LISTED;
  return names.slice(0, MOST_LISTED).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

/** `leash crontab`. */
import fs from 'node:fs';
import path from 'node:path';
import { matchesGlob } from '#protocol/glob';
import { JobName } from '#protocol/names';
import { type Environment, readConfigFile, withConfig } from '../../config/config-file.ts';
import { type CrontabSource, describeSource, formatOf, readCrontab, writeCrontab } from '../../crontab/cron-tables.ts';
import { backUpCrontab } from '../../crontab/crontab-backup.ts';
import { findCrontabs, formatOfFile, isInSpool } from '../../crontab/find-crontabs.ts';
import { type CrontabPlan, planConversion, planUndo, type TakenNames } from '../../crontab/plan.ts';
import { type Direction, diffText, linesText, summaryOf, usersOf } from '../../crontab/report.ts';
import { unreadableFor } from '../../crontab/token-access.ts';
import { findUserField } from '../../crontab/user-field.ts';
import { packageManagerOf } from '../../host/package-manager.ts';
import { describeError, printable } from '../../logging/log.ts';
import { openState } from '../../state/state-directory.ts';
import { duration, name, readFlagsAndWords, UsageError } from '../flags.ts';
import { defineSubcommand } from '../subcommand.ts';

const HELP = `leash crontab: put the lines of a crontab on the leash, and take them off again.

Usage:
  leash crontab [options]              your crontab
  leash crontab [options] FILE...      files; those of /etc/cron.d have a user field. - is stdin
  leash crontab [options] --all        all users', /etc/crontab and /etc/cron.d; requires root

Shows what would change as a diff. With --apply it changes it, and keeps a copy of what it was.
Each line keeps its schedule, and cron runs the same command by the same shell as before: with
\`leash run\` in front of a program, or with the whole line as an argument of \`leash run --shell\`.

What can't be converted with certainty is left alone, with the reason, and so is what Ansible,
Puppet, Chef, Salt or another program manages. Lines that run leash already are not changed.

Examples:
  leash crontab                        show what would change
  leash crontab --apply --splay 5m     change it
  leash crontab --undo --apply         change it back, byte for byte
  leash crontab - < old > new          a filter

Options:
  --apply                change the crontab; without it nothing is changed (--dry-run)
  --undo                 take the lines off the leash that \`leash crontab\` has put on it
  -u, --user USER        this user's crontab; requires root
  --all                  all crontabs of this machine
  --system               FILE or stdin has a user field, wherever it is
  --only PATTERN         only jobs whose name matches, e.g. 'backup-*'; may be repeated
  --managed              also lines that another program manages
  --name LINE=NAME       the job name for a line, by its number; may be repeated
  --capture-logs         show output that a line appends to a file (>> FILE), and pass it on there
  --program PATH         the leash that cron runs; default: this one

Options for each line, as of \`leash run\`:
  --timeout DURATION, --idle-timeout DURATION, --splay DURATION

  -h, --help             print this text

A job is named after the script or program that its line runs. Two lines that run the same command
are one job. The name is in the line from then on: edit it there, and the schedule as you like.

Exit code:
  0  done, also when there is nothing to change
  1  a crontab could not be read or written
  2  an argument is invalid
`;

interface CrontabOptions {
  readonly direction: Direction;
  readonly isApplied: boolean;
  readonly sources: readonly CrontabSource[] | 'all';
  readonly only: readonly string[];
  readonly includeManaged: boolean;
  readonly captureLogs: boolean;
  readonly names: ReadonlyMap<number, string>;
  readonly runOptions: readonly string[];
  readonly program: string;
}

const text = { type: 'string' } as const;
const texts = { type: 'string', multiple: true } as const;
const flag = { type: 'boolean' } as const;

function parseCrontab(argv: readonly string[]): CrontabOptions | null {
  const { values: flags, positionals } = readFlagsAndWords(argv, {
    apply: flag,
    'dry-run': flag,
    undo: flag,
    user: { ...text, short: 'u' },
    all: flag,
    system: flag,
    only: texts,
    managed: flag,
    name: texts,
    'capture-logs': flag,
    program: text,
    timeout: text,
    'idle-timeout': text,
    splay: text,
    help: { ...flag, short: 'h' },
  });
  if (flags.help) return null;
  const { undo: isUndo = false, apply = false, all = false, user, system = false } = flags;
  if (apply && flags['dry-run'] === true) throw new UsageError('--apply and --dry-run are mutually exclusive');
  const sources = all ? allSources(positionals, user, system) : sourcesOf(positionals, user, system);
  if (apply) requireWritable(sources);
  const names = namesOf(flags.name);
  if (names.size > 0 && (all || sources.length > 1)) throw new UsageError('--name requires one crontab');
  return {
    direction: isUndo ? 'undo' : 'convert',
    isApplied: apply,
    sources,
    only: flags.only ?? [],
    includeManaged: flags.managed ?? false,
    captureLogs: flags['capture-logs'] ?? false,
    names,
    runOptions: runOptionsOf(flags),
    program: flags.program === undefined ? ownPath() : programOf(flags.program),
  };
}

function allSources(words: readonly string[], user: string | undefined, isSystem: boolean): 'all' {
  if (words.length === 0 && user === undefined && !isSystem) return 'all';
  throw new UsageError('--all takes neither files nor --user nor --system');
}

function sourcesOf(words: readonly string[], user: string | undefined, isSystem: boolean): readonly CrontabSource[] {
  if (words.length === 0) {
    if (isSystem) throw new UsageError('--system requires a FILE or -');
    return [{ kind: 'user', user: user ?? null }];
  }
  if (user !== undefined) throw new UsageError('--user and FILE are mutually exclusive');
  return words.map((word) => {
    if (word === '-') return { kind: 'stdin', format: isSystem ? 'system' : 'user' };
    const file = path.resolve(word);
    if (isInSpool(file)) throw new UsageError(`${file} belongs to crontab: use --user ${path.basename(file)}`);
    if (path.basename(file) === 'anacrontab') throw new UsageError(`${file}: not a crontab; leash can't convert it`);
    return { kind: 'file', path: file, format: isSystem ? 'system' : formatOfFile(file) };
  });
}

function requireWritable(sources: CrontabOptions['sources']): void {
  if (sources !== 'all' && sources.some(({ kind }) => kind === 'stdin')) {
    throw new UsageError('--apply needs a crontab or a FILE: what comes from stdin is printed on stdout');
  }
}

function namesOf(pairs: readonly string[] = []): Map<number, string> {
  return new Map(
    pairs.map((pair) => {
      const [, line = '', job = ''] = /^(\d+)=(.*)$/.exec(pair) ?? [];
      if (line === '') throw new UsageError(`--name ${pair}: must be LINE=NAME, e.g. 5=backup`);
      return [Number(line), name('--name', JobName, job)];
    }),
  );
}

function runOptionsOf(flags: Readonly<Record<string, unknown>>): string[] {
  return ['timeout', 'idle-timeout', 'splay'].flatMap((each) => {
    const value = flags[each];
    if (typeof value !== 'string') return [];
    duration(`--${each}`, value);
    return [`--${each}`, value];
  });
}

/** Without characters that mean something to cron or to a shell. */
function programOf(program: string): string {
  if (/^\/([\w.+@-]+\/)*leash[\w.+-]*$/.test(program)) return program;
  throw new UsageError(`--program ${program}: must be an absolute path of plain characters to a program named leash`);
}

const USUAL_PATH = '/usr/local/bin/leash';

/** As it was started, if cron can start it so. */
function ownPath(): string {
  const own = process.argv[1] ?? '';
  try {
    fs.accessSync(own, fs.constants.X_OK);
    return programOf(own);
  } catch {
    // Not a program, as when it is developed, or one with a path that a crontab can't hold.
    return USUAL_PATH;
  }
}

export const subcommand = defineSubcommand({ help: HELP, parse: parseCrontab, run: convertCrontabs });

/** @returns the exit code to leave with */
async function convertCrontabs(options: CrontabOptions): Promise<number> {
  // EPIPE: a pager was left.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  if (options.sources === 'all' && process.geteuid?.() !== 0) throw new UsageError('--all requires root');
  const planned = planAll(sourcesIn(options.sources), options);
  let failures = planned.failures;
  let isChanging = false;
  for (const { source, plan } of planned.plans) {
    show(source, plan, options);
    for (const line of await packageRemarks(source, plan)) say(line);
    const outcome = await changeOf(source, plan, options);
    if (outcome === 'failed') failures += 1;
    isChanging ||= outcome === 'changed';
  }
  if (isChanging) for (const line of nextSteps(options, planned.plans)) say(line);
  return failures === 0 ? 0 : 1;
}

/** @returns `changed` also for what would be, without --apply */
async function changeOf(source: CrontabSource, plan: CrontabPlan, { isApplied }: CrontabOptions) {
  if (plan.after === plan.before) return 'unchanged';
  return !isApplied || (await apply(source, plan)) ? 'changed' : 'failed';
}

function sourcesIn(sources: CrontabOptions['sources']): readonly CrontabSource[] {
  if (sources !== 'all') return sources;
  const found = findCrontabs();
  for (const file of found.disputed) {
    say(`${file}: left alone, because not every cron reads a file of this name; give it as FILE to convert it`);
  }
  return found.sources;
}

interface Planned {
  readonly source: CrontabSource;
  readonly plan: CrontabPlan;
}

function planAll(sources: readonly CrontabSource[], options: CrontabOptions) {
  const plans: Planned[] = [];
  const taken: TakenNames = new Map();
  let failures = 0;
  for (const source of sources) {
    const read = readCrontab(source);
    if (read.kind === 'failed') {
      say(`${describeSource(source)}: ${read.why}`);
      failures += 1;
    } else if (read.kind === 'none') {
      say(`${describeSource(source)}: there is none`);
    } else {
      const field = source.kind !== 'user' && source.format === 'user' ? findUserField(read.text) : null;
      if (field === null) plans.push({ source, plan: planOf(read.text, source, options, taken) });
      else {
        const { line, user } = field;
        const what = `the command of line ${line} begins with the user ${user}`;
        say(`${describeSource(source)}: not read: ${what}. If its lines have a user field, use --system`);
        failures += 1;
      }
    }
  }
  return { plans, failures };
}

function planOf(before: string, source: CrontabSource, options: CrontabOptions, taken: TakenNames): CrontabPlan {
  const { only } = options;
  const isSelected = (job: string) => only.length === 0 || only.some((glob) => matchesGlob(glob, job));
  if (options.direction === 'undo') return planUndo(before, formatOf(source), isSelected);
  return planConversion(before, formatOf(source), { ...options, isSelected }, taken);
}

function show(source: CrontabSource, plan: CrontabPlan, { direction }: CrontabOptions): void {
  const isTerminal = process.stdout.isTTY === true;
  const hasColors = isTerminal && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
  const name = describeSource(source);
  const shown = source.kind === 'stdin' ? plan.after : diffText(plan, name, isTerminal, hasColors);
  if (shown !== '') process.stdout.write(Buffer.from(shown, 'latin1'));
  for (const line of summaryOf(plan, name, direction)) say(line);
  if (direction === 'convert') for (const line of accessRemarks(source, plan)) say(line);
}

/** What a package has installed, its upgrades may write again, or ask about. */
async function packageRemarks(source: CrontabSource, plan: CrontabPlan): Promise<string[]> {
  if (source.kind !== 'file' || plan.after === plan.before) return [];
  return (await packageManagerOf(source.path)) === null
    ? []
    : ['  the file belongs to a package: an upgrade of that may ask about the change, or undo it'];
}

/** For root, who can know. */
function accessRemarks(source: CrontabSource, { lines }: CrontabPlan): string[] {
  if (process.geteuid?.() !== 0) return [];
  const settings: Environment = withConfig({}, readConfigFile({}).values);
  const changed = lines.filter(({ outcome }) => outcome.kind === 'changed').map(({ number }) => number);
  const ofOwner: [string, number[]][] =
    source.kind === 'user' && source.user !== null && changed.length > 0 ? [[source.user, changed]] : [];
  return [...ofOwner, ...usersOf(lines)].flatMap(([user, numbers]) => {
    const file = unreadableFor(user, settings);
    if (file === null) return [];
    return [
      `  ${linesText(numbers)}: ${user} can't read ${file}, so these runs would be unsupervised; give ${user} settings of its own`,
    ];
  });
}

async function apply(source: CrontabSource, plan: CrontabPlan): Promise<boolean> {
  const name = describeSource(source);
  const state = await openState(withConfig(process.env, readConfigFile(process.env).values));
  if (state.kind === 'unusable') {
    say(`${name}: not changed, because no copy can be kept: ${state.why}`);
    return false;
  }
  try {
    const backup = await backUpCrontab(state.directory, name, plan.before, new Date());
    const why = await writeCrontab(source, plan.before, plan.after);
    say(why === null ? `${name}: changed; what it was is in ${backup}` : `${name}: not changed: ${why}`);
    return why === null;
  } catch (error) {
    say(`${name}: not changed, because no copy can be kept: ${describeError(error)}`);
    return false;
  }
}

function nextSteps({ isApplied, direction }: CrontabOptions, plans: readonly Planned[]): string[] {
  if (plans.some(({ source }) => source.kind === 'stdin')) return [];
  if (!isApplied) return ['Nothing was changed: use --apply to change it.'];
  return direction === 'convert' ? ['To change it back, do the same with --undo.'] : [];
}

/** On stderr: stdout is for the diff alone, or for the new crontab. */
function say(line: string): void {
  process.stderr.write(`${printable(line)}\n`);
}

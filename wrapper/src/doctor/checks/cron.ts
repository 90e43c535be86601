/** cron: whether it runs here, and whether the lines that start leash would find it. */
import fs from 'node:fs';
import path from 'node:path';
import { parseLine } from '../../crontab/crontab-entry.ts';
import { splitLines } from '../../crontab/crontab-lines.ts';
import { leashPrograms } from '../../crontab/leash-line.ts';
import { type ReadableCrontab, readableCrontabs } from '../../crontab/readable-crontabs.ts';
import { type Finding, note, ok, problem } from '../finding.ts';

/** What cron gives its jobs where a crontab sets nothing else (Debian, Fedora and Alpine alike). */
export const CRON_PATH = '/usr/bin:/bin';

export interface CronFacts {
  /** The name of the cron daemon that runs here; null when none was found, undefined when processes can't be seen. */
  readonly daemon: string | null | undefined;
  readonly crontabs: readonly ReadableCrontab[];
  /** Whether `leash` alone is found in this PATH. */
  isInPath(searchPath: string): boolean;
  /** The path of this program; null when it runs from its sources. */
  readonly program: string | null;
}

export function checkCron(program: string | null): Finding[] {
  return judgeCron({ daemon: findDaemon(), crontabs: readableCrontabs(), isInPath: isLeashIn, program });
}

export function judgeCron({ daemon, crontabs, isInPath, program }: CronFacts): Finding[] {
  const lines = crontabs.flatMap(leashLines);
  const lost = lines.filter((line) => line.isBareName && !isInPath(line.searchPath));
  const findings: Finding[] = [];
  if (typeof daemon === 'string') findings.push(ok('cron.daemon', `${daemon} is running`));
  else if (daemon === null && lines.length > 0) {
    findings.push(
      problem(
        'cron.daemon',
        'no cron daemon is running, so none of the crontabs has any effect',
        'Install and start one: apt install cron, dnf install cronie, or systemctl enable --now cron.',
      ),
    );
  } else if (daemon === null) {
    findings.push(note('cron.daemon', 'no cron daemon is running here; systemd timers and other callers need none'));
  }
  for (const { crontab, number, searchPath } of lost.slice(0, MAX_LINES)) {
    findings.push(
      problem(
        'cron.path',
        `${crontab}, line ${number} calls leash without its directory, and it is not in that line’s PATH (${searchPath})`,
        `Write ${program ?? '/usr/local/bin/leash'} instead of leash there, or add a line PATH=${path.dirname(program ?? '/usr/local/bin/leash')}:${CRON_PATH} above it.`,
      ),
    );
  }
  if (lost.length > MAX_LINES) findings.push(note('cron.path', `and ${lost.length - MAX_LINES} more such lines`));
  if (lines.length > 0 && lost.length === 0) {
    const files = new Set(lines.map(({ crontab }) => crontab)).size;
    findings.push(
      ok(
        'cron.lines',
        `${lines.length} line${lines.length === 1 ? '' : 's'} in ${files} crontab${files === 1 ? '' : 's'} start leash`,
      ),
    );
  } else if (lines.length === 0) {
    findings.push(note('cron.lines', 'no crontab that this user can read starts leash; leash crontab puts jobs on it'));
  }
  return findings;
}

const MAX_LINES = 3;

interface LeashLine {
  /** Its name. */
  readonly crontab: string;
  readonly number: number;
  /** The PATH that is set above it. */
  readonly searchPath: string;
  /** Whether leash is named without a directory. */
  readonly isBareName: boolean;
}

function leashLines({ name, text, format }: ReadableCrontab): LeashLine[] {
  let searchPath = CRON_PATH;
  return splitLines(text).flatMap((line, index) => {
    const parsed = parseLine(line.text, format);
    if (parsed.kind === 'variable' && parsed.name === 'PATH') searchPath = parsed.value;
    const [program] = parsed.kind === 'entry' ? leashPrograms(parsed.command) : [];
    if (program === undefined) return [];
    return [{ crontab: name, number: index + 1, searchPath, isBareName: !program.includes('/') }];
  });
}

function isLeashIn(searchPath: string): boolean {
  return searchPath.split(':').some((directory) => directory !== '' && fs.existsSync(path.join(directory, 'leash')));
}

const DAEMONS = new Set(['cron', 'crond', 'fcron', 'dcron', 'anacron', 'systemd-cron', 'supercronic', 'busybox-crond']);

/** By the names of processes: how a service is called differs between distributions. */
function findDaemon(): string | null | undefined {
  let names: string[];
  try {
    names = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    // No /proc.
    return undefined;
  }
  for (const pid of names) {
    const name = readQuietly(`/proc/${pid}/comm`)?.trim() ?? '';
    if (DAEMONS.has(name)) return name;
    // All of busybox's programs have one name.
    if (name === 'busybox' && /(^|\/)crond\0|\0crond\0/.test(readQuietly(`/proc/${pid}/cmdline`) ?? '')) return 'crond';
  }
  return null;
}

function readQuietly(file: string): string | null {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    // ENOENT, EACCES; a process may just have ended.
    return null;
  }
}

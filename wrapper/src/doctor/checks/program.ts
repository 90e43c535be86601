/** This program and its Node.js, and whether cron would find both. */
import { execFile } from 'node:child_process';
import os from 'node:os';
import { promisify } from 'node:util';
import { hasCode } from '../../host/error-code.ts';
import { isSingleExecutable } from '../../host/own-program.ts';
import { pathOwnersSync } from '../../host/path-owners.ts';
import { describeError } from '../../logging/log.ts';
import { type Finding, note, ok, problem, warning } from '../finding.ts';
import { CRON_PATH } from './cron.ts';

/** A launcher tries several Node.js at worst, each for a second. */
const TRIAL_LIMIT_MS = 20_000;

export interface ProgramFacts {
  readonly version: string;
  readonly node: string;
  readonly nodePath: string;
  /** Whether program and Node.js are one file. */
  readonly isExecutable: boolean;
  /** null from the sources. */
  readonly path: string | null;
  /** Why another user could replace it; null when none can. */
  readonly shared: string | null;
  readonly fromCron: FromCron;
}

/** How the program started with what cron gives to its jobs. */
export type FromCron =
  | { readonly kind: 'started' }
  /** The first line that it or the system printed. */
  | { readonly kind: 'failed'; readonly said: string }
  | { readonly kind: 'not_executable' }
  /** It runs from its sources: there is no program yet. */
  | { readonly kind: 'sources' };

/** @param program the path of the file that runs; null from the sources */
export async function checkProgram(program: string | null, version: string): Promise<Finding[]> {
  const owners = program === null ? null : pathOwnersSync(program);
  return judgeProgram({
    version,
    node: process.version,
    nodePath: process.execPath,
    isExecutable: isSingleExecutable(),
    path: program,
    shared: owners?.kind === 'shared' ? owners.why : null,
    fromCron: program === null ? { kind: 'sources' } : await startAsCron(program),
  });
}

export function judgeProgram(facts: ProgramFacts): Finding[] {
  const { version, node, nodePath, isExecutable, path: file, shared } = facts;
  return [
    ok('program.version', `leash ${version}, ${file ?? 'from its sources'}`),
    ...(shared === null
      ? []
      : [
          problem(
            'program.owner',
            `another user could replace the program that runs your jobs: ${shared}`,
            'Install it in a directory that only root, or only this user, can write to.',
          ),
        ]),
    ok('program.node', isExecutable ? `Node.js ${node}, part of the program` : `Node.js ${node}, ${nodePath}`),
    cronFinding(facts),
  ];
}

function cronFinding({ fromCron, path: file, isExecutable }: ProgramFacts): Finding {
  const what = isExecutable ? 'the program' : 'the program and a Node.js';
  switch (fromCron.kind) {
    case 'started':
      return ok('program.cron', `cron’s environment (PATH=${CRON_PATH}) is enough to start ${what}`);
    case 'failed':
      return problem(
        'program.cron',
        `it doesn’t start in cron’s environment (PATH=${CRON_PATH}): ${fromCron.said}`,
        'Install Node.js 18 or later in /usr/bin or /usr/local/bin (a symbolic link suffices), or set PATH in the crontab.',
      );
    case 'not_executable':
      return problem('program.cron', `${file} can’t be executed`, `Make it executable: chmod 755 ${file}`);
    case 'sources':
      return note('program.cron', 'not tried in cron’s environment: this is leash from its sources');
  }
}

async function startAsCron(program: string): Promise<FromCron> {
  const { username, homedir } = userInfo();
  const env = { PATH: CRON_PATH, HOME: homedir, LOGNAME: username, SHELL: '/bin/sh' };
  try {
    await promisify(execFile)(program, ['--version'], { env, cwd: '/', timeout: TRIAL_LIMIT_MS });
    return { kind: 'started' };
  } catch (error) {
    if (hasCode(error, 'EACCES')) return { kind: 'not_executable' };
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
    const [line = ''] = stderr.split('\n');
    return { kind: 'failed', said: line.replace(/^leash: /, '') || describeError(error) };
  }
}

function userInfo(): { username: string; homedir: string } {
  try {
    return os.userInfo();
  } catch {
    // A user without an entry in passwd.
    return { username: String(process.getuid?.() ?? ''), homedir: '/' };
  }
}

/** What of the served program's digest is shown. */
const SHOWN_DIGEST = 12;

export interface Served {
  /** SHA-256, hexadecimal. */
  readonly own: string;
  readonly served: string | null;
  readonly version: string;
  readonly servedVersion: string | null;
}

/** Whether this is the program that the control plane serves. */
export function judgeServed({ own, served, version, servedVersion }: Served): Finding {
  if (served === null)
    return note('program.served', 'not compared with the one that the control plane serves: it serves none');
  if (own === served)
    return ok('program.served', `the same that the control plane serves (sha256 ${own.slice(0, SHOWN_DIGEST)}…)`);
  if (servedVersion !== null && servedVersion !== version) {
    return isOlder(version, servedVersion)
      ? warning('program.served', `the control plane has a newer one, ${servedVersion}`, 'Run leash upgrade.')
      : note('program.served', `newer than the control plane, which is ${servedVersion}`);
  }
  return warning(
    'program.served',
    `not the program that the control plane serves (sha256 ${own.slice(0, SHOWN_DIGEST)}…, there ${served.slice(0, SHOWN_DIGEST)}…)`,
    'Run leash upgrade, unless you have built this one yourself.',
  );
}

/** By the numbers of `1.2.3`. */
export function isOlder(version: string, than: string): boolean {
  const numbers = (text: string) => text.split(/[.-]/).slice(0, 3).map(Number);
  const [a, b] = [numbers(version), numbers(than)];
  const at = a.findIndex((number, index) => number !== b[index]);
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0);
}

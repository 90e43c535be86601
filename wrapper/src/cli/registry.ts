/**
 * Every subcommand, in the order of `leash --help`.
 *
 * Each is loaded when it is asked for: the command of `leash run` waits for what is loaded before it is started.
 */
import { EXIT_ERRORED } from '#protocol/run-state';
import { EXIT } from '../operator/exit-codes.ts';
import type { Subcommand } from './subcommand.ts';

export const GROUPS = ['Run jobs', 'Operate', 'Set up'] as const;
export type Group = (typeof GROUPS)[number];

/** What a subcommand exits with when it can't do what it is for. */
interface FailureCodes {
  /** An argument is invalid. */
  readonly usage: number;
  /** It failed unexpectedly. */
  readonly failure: number;
}

/** Of subcommands for operators and for setting up. */
const DEFAULT_CODES: FailureCodes = { usage: EXIT.usage, failure: EXIT.failed };

/** Of `run`, whose exit code else stands for a command's, and of what is as old as it. */
const CODES_OF_RUN: FailureCodes = { usage: EXIT_ERRORED, failure: EXIT_ERRORED };

export interface RegisteredSubcommand {
  readonly name: string;
  /** One line for `leash --help`, without a full stop. */
  readonly summary: string;
  /** Where `leash --help` lists it; null: it isn't for people. */
  readonly group: Group | null;
  readonly failureCodes: FailureCodes;
  readonly load: () => Promise<{ readonly subcommand: Subcommand }>;
}

function register(
  name: string,
  group: Group | null,
  summary: string,
  load: RegisteredSubcommand['load'],
  failureCodes = DEFAULT_CODES,
): RegisteredSubcommand {
  return { name, summary, group, failureCodes, load };
}

export const SUBCOMMANDS: readonly RegisteredSubcommand[] = [
  register('run', 'Run jobs', 'run a command under supervision', () => import('./subcommands/run.ts'), CODES_OF_RUN),
  register(
    'flush',
    'Run jobs',
    'send what earlier runs could not send',
    () => import('./subcommands/flush.ts'),
    CODES_OF_RUN,
  ),
  register(
    'orphans',
    'Run jobs',
    'find commands without wrappers',
    () => import('./subcommands/orphans.ts'),
    CODES_OF_RUN,
  ),
  register('adopt', null, 'take a run over', () => import('./subcommands/adopt/adopt.ts'), CODES_OF_RUN),

  register('ps', 'Operate', 'list what runs', () => import('./subcommands/ps.ts')),
  register('jobs', 'Operate', 'list jobs, and how they ended last', () => import('./subcommands/jobs.ts')),
  register('logs', 'Operate', 'print what runs have printed, and follow it', () => import('./subcommands/logs.ts')),
  register('kill', 'Operate', 'stop runs, and see each step on each machine', () => import('./subcommands/kill.ts')),
  register('brake', 'Operate', 'stop jobs, and keep them stopped', () => import('./subcommands/brake.ts')),
  register(
    'maintenance',
    'Operate',
    'begin maintenance of jobs or machines',
    () => import('./subcommands/maintenance.ts'),
  ),
  register('drain', 'Operate', 'wait until nothing runs on a machine', () => import('./subcommands/drain.ts')),
  register('brakes', 'Operate', 'list and end brakes and maintenance', () => import('./subcommands/brakes.ts')),
  register(
    'report',
    'Operate',
    'report what needs a look, such as last night',
    () => import('./subcommands/report.ts'),
  ),
  register('history', 'Operate', 'list runs that have ended', () => import('./subcommands/history.ts')),
  register('show', 'Operate', 'show a run with its events, or a job', () => import('./subcommands/show.ts')),
  register('kills', 'Operate', 'list kills, and their progress', () => import('./subcommands/kills.ts')),
  register('open', 'Operate', 'open the dashboard in a browser', () => import('./subcommands/open.ts')),
  register('audit', 'Operate', 'list who did what', () => import('./subcommands/audit.ts')),

  register('login', 'Set up', 'keep a token for other subcommands', () => import('./subcommands/login.ts')),
  register('logout', 'Set up', 'remove what login has kept', () => import('./subcommands/logout.ts')),
  register('token', 'Set up', 'list, create, rotate and delete tokens', () => import('./subcommands/token.ts')),
  register('whoami', 'Set up', 'print what your token may do', () => import('./subcommands/whoami.ts')),
  register('doctor', 'Set up', 'check this machine and say what to mend', () => import('./subcommands/doctor.ts')),
  register('crontab', 'Set up', 'put the lines of a crontab on the leash', () => import('./subcommands/crontab.ts')),
  register(
    'upgrade',
    'Set up',
    'replace leash by the one of the control plane',
    () => import('./subcommands/upgrade.ts'),
  ),
  register('uninstall', 'Set up', 'remove leash from this machine', () => import('./subcommands/uninstall.ts')),
  register('completion', 'Set up', 'complete command lines in a shell', () => import('./subcommands/completion.ts')),
  register('__complete', null, 'complete a command line', () => import('./subcommands/complete.ts')),
  register(
    'cost',
    'Set up',
    'estimate what a fleet costs a month',
    () => import('./subcommands/cost.ts'),
    CODES_OF_RUN,
  ),
];

export function findSubcommand(name: string | undefined): RegisteredSubcommand | null {
  return SUBCOMMANDS.find((each) => each.name === name) ?? null;
}

/**
 * `leash run` in the place of Saltpeter's wrapper: the variables that Saltpeter sets for that become flags.
 *
 * Only where no command is given and SP_COMMAND is set: a `leash run` within such a job inherits the variables, and they
 * are not meant for it.
 */
import path from 'node:path';
import { toValidName } from '#protocol/names';
import { shown } from '../host/undecodable-bytes.ts';
import type { RunOptions } from '../run/run-options.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface SaltpeterRun {
  /** The words after `leash run`, to which the caller's own flags are added: the last of two counts. */
  readonly flags: readonly string[];
  readonly command: Pick<RunOptions, 'command' | 'shellLine'>;
  /** To be created if it is missing; null: no log file. */
  readonly logDirectory: string | null;
  /** Lines for a person: what was ignored. */
  readonly warnings: readonly string[];
}

/** What the exit code of a run is that did not start because another one has the lock. */
const EXIT_OVERLAP = 254;

/**
 * What is not for the command: the command itself, which a nested `leash run` would start again, and the URL, which may
 * hold a token.
 */
const WITHOUT = 'unset SP_COMMAND SP_WEBSOCKET_URL';

/**
 * The lock is a file with a process id, as Saltpeter's wrapper has it, so that both kinds exclude each other. Its process
 * is this shell, which lives as long as the command does, whatever becomes of the wrapper.
 *
 * $1 the command line, $2 the lock file, $3 the job.
 */
const LOCKED = `
refuse() { echo "LOCKFILE ERROR: $1"; exit ${EXIT_OVERLAP}; }
take() { (set -C; echo $$ >"$lock") 2>/dev/null; }
line=$1 lock=$2 job=$3
mkdir -p -m 0777 -- "\${lock%/*}/" 2>/dev/null
if ! take; then
  old=
  read -r old 2>/dev/null <"$lock"
  case $old in
    *[!0-9]*) ;;
    ?*) if kill -0 "$old" 2>/dev/null || [ -d "/proc/$old" ]; then
        refuse "Job $job already running (PID $old), overlap not allowed"
      fi ;;
  esac
  # Of several that find the same old lock only one can move it away. The next one moves that one's new lock, and puts it back.
  if mv -- "$lock" "$lock.$$" 2>/dev/null; then
    moved=
    read -r moved 2>/dev/null <"$lock.$$"
    if [ "$moved" != "$old" ]; then mv -- "$lock.$$" "$lock"; else rm -f -- "$lock.$$"; fi
  fi
  take || refuse "Failed to write lockfile $lock"
fi
${WITHOUT}
/bin/sh -c "$line"
code=$?
rm -f -- "$lock"
exit $code
`;

const UNLOCKED = `${WITHOUT}; exec /bin/sh -c "$1"`;

/**
 * Reads the variables of Saltpeter.
 *
 * @param argv the words after `leash run`
 * @returns null if they are not meant for this `leash run`
 */
export function readSaltpeterRun(argv: readonly string[], env: Environment, isRoot: boolean): SaltpeterRun | null {
  const line = given(env.SP_COMMAND);
  if (line === null || argv.includes('--')) return null;
  const warnings: string[] = [];
  const job = given(env.SP_JOB_NAME);
  const timeout = given(env.SP_TIMEOUT);
  const isTimeout = timeout !== null && /^\s*\d+\s*$/.test(timeout);
  if (timeout !== null && !isTimeout) warnings.push(`SP_TIMEOUT ${timeout}: not a number of seconds, ignored`);
  const user = given(env.SP_USER);
  if (user !== null && !isRoot) warnings.push(`SP_USER ${user}: ignored, because only root can become another user`);
  const logDirectory = env.SP_WRAPPER_LOGLEVEL === 'off' ? null : given(env.SP_WRAPPER_LOGDIR);
  const log = logDirectory === null || job === null ? null : path.join(logDirectory, `${toValidName(job)}.log`);
  const flags = [
    ...flag('--job', job && toValidName(job)),
    ...flag('--instance', nameOf(env.SP_JOB_INSTANCE)),
    ...flag('--machine', nameOf(env.SP_MACHINE_ID)),
    ...flag('--cwd', given(env.SP_CWD)),
    ...flag('--user', isRoot ? user : null),
    ...flag('--timeout', isTimeout ? timeout.trim() : null),
    ...flag('--log', log),
    '--merge',
    '--detach',
  ];
  return { flags, command: commandOf(line, job ?? '', env), logDirectory, warnings };
}

function commandOf(line: string, job: string, env: Environment): SaltpeterRun['command'] {
  const shellLine = shown(line);
  if (mayOverlap(env.SP_ALLOW_OVERLAP)) return { command: ['/bin/sh', '-c', UNLOCKED, 'sh', line], shellLine };
  // As Saltpeter's wrapper names it, where the name can be part of a path.
  const lock = given(env.SP_LOCKFILE) ?? `/tmp/sp_wrapper_${job.includes('/') ? toValidName(job) : job}.lock`;
  return { command: ['/bin/sh', '-c', LOCKED, 'sh', line, path.resolve(lock), job], shellLine };
}

/** Anything but a yes is a no, as in Saltpeter; not set is a yes. */
function mayOverlap(value: string | undefined): boolean {
  return ['true', '1', 'yes'].includes((value ?? 'true').toLowerCase());
}

function nameOf(value: string | undefined): string | null {
  const name = given(value);
  return name === null ? null : toValidName(name);
}

/** With `=`, because a value may begin with a dash. */
function flag(option: string, value: string | null): string[] {
  return value === null ? [] : [`${option}=${value}`];
}

/** Saltpeter sets some variables to nothing. */
function given(value: string | undefined): string | null {
  return value === undefined || value === '' ? null : value;
}

/**
 * A shell that outlives a killed wrapper and starts its successor, or ends the command.
 *
 * When a wrapper is killed, the read ends of the command's pipes are closed: the command would die of SIGPIPE at its next
 * print. So the guardian holds them too, without reading. It notices the wrapper's death by the end of the pipe between
 * them, which happens however the wrapper dies. The successor inherits the command's pipes, and continues to read where the
 * wrapper stopped.
 *
 * It is a `sh`, not a Node process, because one runs with every command: it costs a megabyte and a millisecond.
 */
import type { ChildProcess } from 'node:child_process';
import type { Writable } from 'node:stream';
import type { StreamName } from '#protocol/output-frame';
import type { Environment } from '../config/config-file.ts';
import { spawnDetached } from '../host/spawn-detached.ts';
import { cookieOf } from '../launch/command-environment.ts';
import { describeError, type Log } from '../logging/log.ts';
import { processTable } from '../processes/process-table.ts';
import { type RunFacts, readFacts } from '../state/run-file.ts';

/** What the guardian does when the wrapper is dead. */
export interface GuardianPlan {
  readonly kind: 'keep' | 'kill';
  /** The run's id. Not an argument: everyone on the machine can read arguments. */
  readonly run: string;
  /** The command's process group: the shell itself kills it if `killArguments` fails and it is still the command's. */
  readonly group: CommandGroup;
  /** A command that ends the whole run, for `kill`. */
  readonly killArguments: readonly string[];
  /** A command that becomes the run's new wrapper. */
  readonly adoptArguments: readonly string[];
  /** Passed to both commands, because there may be no record of the run; null when nothing is known. */
  readonly facts: RunFacts | null;
  /** Variables with secrets that only the command was given: a successor hides them; they are stored nowhere else. */
  readonly secrets: Environment;
}

/** A process group's number is reused when the group is empty: the start time identifies it for certain. */
export interface CommandGroup {
  readonly pgid: number;
  /** When its leader was started, by the process table; null when that isn't known. */
  readonly startTime: string | null;
}

/** The variable that holds the run's id. */
const RUN_VARIABLE = 'LEASH_GUARDED_RUN';
/** The variable that holds the facts. */
const FACTS_VARIABLE = 'LEASH_INHERITED';
/** The prefix of the variables that hold the secrets. */
const SECRETS_PREFIX = 'LEASH_INHERITED_';

/** What a guardian passes to the process that it starts. */
export interface GuardianHandover {
  /** Null when no guardian has started this process. */
  readonly facts: RunFacts | null;
  readonly secrets: Environment;
}

/** The run for which a guardian has started this process; undefined when none has. Removed from `env`. */
export function extractGuardedRun(env: NodeJS.ProcessEnv): string | undefined {
  const run = env[RUN_VARIABLE];
  delete env[RUN_VARIABLE];
  return run;
}

/** Whether a guardian of the run, or its successor, lives. Works without a record of the run. */
export function isGuarded(run: string): boolean {
  return processTable
    .list()
    .some(({ pid, isAlive }) => isAlive && processTable.hasVariable(pid, RUN_VARIABLE, run) === true);
}

/**
 * Extracts from `env` what a guardian has passed to this process. Only for what guardians start: when a person starts
 * `leash`, these variables belong to another run.
 *
 * @param run whose guardian it is; facts of another run are ignored
 */
export function extractHandover(env: NodeJS.ProcessEnv, run: string): GuardianHandover {
  const read = readFacts(env[FACTS_VARIABLE] ?? '');
  const isOfRun = read.kind === 'read' && read.value.run === run;
  delete env[FACTS_VARIABLE];
  const secrets: Record<string, string | undefined> = {};
  for (const name of Object.keys(env)) {
    if (!name.startsWith(SECRETS_PREFIX)) continue;
    secrets[name.slice(SECRETS_PREFIX.length)] = env[name];
    delete env[name];
  }
  return { facts: isOfRun ? read.value : null, secrets };
}

/**
 * Descriptors of the read ends; null where there is none. They must be in blocking mode, a property of the open file
 * description: otherwise `cat` would fail with EAGAIN.
 */
export type ReadEnds = Readonly<Record<StreamName, number | null>>;

/** Where a successor finds the read ends. */
export const INHERITED_FDS: Readonly<Record<StreamName, number>> = { stdout: 4, stderr: 5 };

/** The exit code of a successor whose run is over, but some process of it still prints. */
export const EXIT_STILL_PRINTING = 3;

/** How often a successor that can't start is tried again: the program or Node may just be being replaced. */
const TRIES = 30;

// Descriptors: 3 the wrapper's instructions, 4 and 5 the command's stdout and stderr. A `cat` outlives the shell and guards
// nothing. A successor is the shell's child, so that another one follows when it is killed, too. A successor also runs while
// the command is being ended: it reads the output, and an operator's kill can shorten the grace.
// A grace may take hours, in which the number of the command's group may be reused: the group is signalled only if its
// leader is the command's own process, or if that is gone and a process in the group has the run's cookie.
const SCRIPT = `
kind=$1 kill_command=$2 adopt_command=$3 pgid=$4 started=$5 cookie=${cookieOf(`$${RUN_VARIABLE}`)}
word=
while read -r word <&3; do
  case $word in
    done) exit 0 ;;
    close-stdout) exec 4<&- ;;
    close-stderr) exec 5<&- ;;
    over) kind=keep; exec 4<&- 5<&- ;;
    drain) break ;;
  esac
done
exec 3<&-
drain() {
  (unset ${RUN_VARIABLE}; cat <&4 & cat <&5 &)
} 2>/dev/null
if [ "$word" = drain ]; then drain; exit 0; fi
look() {
  group= since=
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return
  set -- \${stat##*) }
  group=$3 since=\${20}
}
has_cookie() {
  while read -r variable; do
    case $variable in "$cookie="*) return 0 ;; esac
  done
  return 1
}
is_ours() {
  if ! [ -r "/proc/self/stat" ]; then
    set -- $(LC_ALL=C TZ=UTC ps -o lstart= -p "$pgid")
    [ "$started" ] && [ "$*" = "$started" ]
    return
  fi
  look "$pgid"
  if [ "$since" ]; then [ "$since" = "$started" ]; return; fi
  for each in /proc/[0-9]*; do
    look "\${each#/proc/}"
    if [ "$group" = "$pgid" ] && tr '\\000' '\\n' <"$each/environ" | (has_cookie); then return 0; fi
  done 2>/dev/null
  return 1
}
if [ "$kind" = kill ]; then { eval "$kill_command" || { is_ours && kill -s KILL -- "-$pgid"; }; } & fi
tries=0
until eval "$adopt_command"; do
  if [ $? -eq ${EXIT_STILL_PRINTING} ] || [ "$tries" -ge ${TRIES} ]; then drain; exit 0; fi
  tries=$((tries + 1))
  sleep 1
done
`;

/** What a run can tell its guardian to do. */
export interface GuardianControl {
  /** Closes a stream that is no longer read, so that the command gets its SIGPIPE. */
  close(stream: StreamName): void;
  /**
   * The command is over and none of its processes holds a pipe: if the wrapper dies now there is nothing to end, and the
   * number of its process group may be reused, but its end is still to be reported.
   */
  commandIsOver(): void;
  /** The guardian is no longer needed. */
  dismiss(): void;
  /** The command is over, but some process of it still prints: reads and discards that, so that it doesn't get SIGPIPE. */
  drain(): void;
}

export class Guardian implements GuardianControl {
  /** Its pid, so that it isn't taken for a part of the run; null when it could not be started. */
  readonly pid: number | null = null;
  readonly #control: Writable | null = null;
  #isDismissed = false;

  /** Starts it; on failure it logs why, and the run has no guardian. */
  constructor(plan: GuardianPlan, pipes: ReadEnds, log: Log) {
    const failed = (error: unknown) => log.info(`could not start the guardian process: ${describeError(error)}`);
    try {
      const child = startShell(plan, pipes, 'pipe', process.env);
      child.on('error', failed);
      this.pid = child.pid ?? null;
      const pipe = child.stdio[3] ?? null;
      this.#control = pipe !== null && 'write' in pipe ? pipe : null;
      // EPIPE: it was killed. The run continues without a guardian.
      this.#control?.on('error', failed);
    } catch (error) {
      // Too many open files, say.
      failed(error);
    }
  }

  close(stream: StreamName): void {
    this.#send(`close-${stream}`);
  }

  commandIsOver(): void {
    this.#send('over');
  }

  dismiss(): void {
    this.#sendLast('done');
  }

  drain(): void {
    this.#sendLast('drain');
  }

  #sendLast(word: string): void {
    this.#send(word);
    this.#isDismissed = true;
  }

  #send(word: string): void {
    if (!this.#isDismissed) this.#control?.write(`${word}\n`);
  }
}

/**
 * Starts a guardian for a run that has lost its wrapper and its guardian: it starts a successor at once.
 *
 * @throws what spawning throws
 */
export function startGuardianOfOrphan(plan: GuardianPlan, pipes: ReadEnds, environment: Environment): void {
  const child = startShell(plan, pipes, 'ignore', environment);
  // EAGAIN: too many processes. The next one to come along tries again.
  child.on('error', () => {});
  child.unref();
}

function startShell(
  { kind, run, group, killArguments, adoptArguments, facts, secrets }: GuardianPlan,
  { stdout, stderr }: ReadEnds,
  words: 'pipe' | 'ignore',
  environment: Environment,
): ChildProcess {
  const { pgid, startTime } = group;
  const args = [kind, shellLine(killArguments), shellLine(adoptArguments), String(pgid), startTime ?? ''];
  const ours = Object.entries(environment).filter(([name]) => !name.startsWith(FACTS_VARIABLE));
  return spawnDetached('/bin/sh', ['-c', SCRIPT, 'leash-guardian', ...args], {
    env: {
      ...Object.fromEntries(ours),
      ...Object.fromEntries(Object.entries(secrets).map(([name, value]) => [SECRETS_PREFIX + name, value])),
      [RUN_VARIABLE]: run,
      ...(facts !== null && { [FACTS_VARIABLE]: JSON.stringify(facts) }),
    },
    cwd: '/',
    stdio: ['ignore', 'ignore', 'ignore', words, stdout ?? 'ignore', stderr ?? 'ignore'],
  });
}

/** Quotes arguments for a shell. */
function shellLine(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
}

/**
 * A shell that outlives the wrapper by a moment, and does what must be done when the wrapper can't any more.
 *
 * A wrapper that is killed takes the read ends of the command's pipes along: a command that was to be kept would die of
 * SIGPIPE at its next print. So the guardian holds them too, without reading. It hears of the wrapper's death by the end
 * of the pipe between them, which no way of dying can avoid. Then it starts a successor, which has the pipes from it and
 * goes on reading where the wrapper was stopped; or it ends the command.
 *
 * It is a `sh`, not a Node, because one runs beside every command: it costs a megabyte and a millisecond.
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

/** What the guardian does when the wrapper has died. */
export interface GuardianPlan {
  readonly kind: 'keep' | 'kill';
  /** The run's id. In no argument: everyone on the machine can read those. */
  readonly run: string;
  /** The command's process group: killed by the shell itself if `end` fails, and it is still the command's. */
  readonly group: CommandGroup;
  /** Ends all of the run; its success is relied on. For `kill`. */
  readonly killArguments: readonly string[];
  /** Becomes the run's new wrapper. */
  readonly adoptArguments: readonly string[];
  /** What both are told of the run, because there may be no record of it; null when nothing is known. */
  readonly facts: RunFacts | null;
  /** Variables with secrets that the command alone was given: to be hidden by a successor, and kept nowhere else. */
  readonly secrets: Environment;
}

/** A process group's number is another's when nobody is left in it: by the rest it is known for certain. */
export interface CommandGroup {
  readonly pgid: number;
  /** When its leader was started, as the process table tells it; null when that is not known. */
  readonly startTime: string | null;
}

/** The variable that holds the run's id. */
const RUN_VARIABLE = 'LEASH_GUARDED_RUN';
/** The variable that holds the facts. */
const FACTS_VARIABLE = 'LEASH_INHERITED';
/** What the names of the variables begin with that hold the secrets. */
const SECRETS_PREFIX = 'LEASH_INHERITED_';

/** What a guardian tells who it starts. */
export interface GuardianHandover {
  /** Null when no guardian has started this process. */
  readonly facts: RunFacts | null;
  readonly secrets: Environment;
}

/** The run for which a guardian has started this process; undefined when none has. Taken out of `env`. */
export function extractGuardedRun(env: NodeJS.ProcessEnv): string | undefined {
  const run = env[RUN_VARIABLE];
  delete env[RUN_VARIABLE];
  return run;
}

/** Whether a guardian of the run lives, or who it has started: so it is known also where no record can tell any more. */
export function isGuarded(run: string): boolean {
  return processTable
    .list()
    .some(({ pid, isAlive }) => isAlive && processTable.hasVariable(pid, RUN_VARIABLE, run) === true);
}

/**
 * What a guardian has told this process of a run. Taken out of `env`. Only for what guardians start: in the environment of
 * what a person types, these variables are somebody else's.
 *
 * @param run whose guardian it is; what is told of another run counts for nothing
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
 * Descriptors of the read ends; null where there is none. They must block, which is a property of the open file: `cat`
 * would see EAGAIN, and end.
 */
export type ReadEnds = Readonly<Record<StreamName, number | null>>;

/** Where a successor finds the read ends. */
export const INHERITED_FDS: Readonly<Record<StreamName, number>> = { stdout: 4, stderr: 5 };

/** By this exit code a successor says that the run is over, but something it left behind still prints. */
export const EXIT_STILL_PRINTING = 3;

/** A successor that can't even start is tried again: the program or Node may just be being replaced. */
const TRIES = 30;

// Descriptors: 3 the words of the wrapper, 4 and 5 the command's stdout and stderr. A `cat` outlives the shell, is
// nobody's child, and guards nothing. A successor is the shell's child, so that another one follows when it is killed, too. While the command
// is being ended there is one as well: for what it has to say, and for an operator who can't wait for its grace.
// That may take hours, in which the number of the command's group may have become another's: it is signalled only if its
// leader is the command's own process, or that is gone and somebody in the group has the run's cookie.
const SCRIPT = `
will=$1 end=$2 succeed=$3 pgid=$4 started=$5 cookie=${cookieOf(`$${RUN_VARIABLE}`)}
word=
while read -r word <&3; do
  case $word in
    done) exit 0 ;;
    close-stdout) exec 4<&- ;;
    close-stderr) exec 5<&- ;;
    over) will=keep; exec 4<&- 5<&- ;;
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
if [ "$will" = kill ]; then { eval "$end" || { is_ours && kill -s KILL -- "-$pgid"; }; } & fi
tries=0
until eval "$succeed"; do
  if [ $? -eq ${EXIT_STILL_PRINTING} ] || [ "$tries" -ge ${TRIES} ]; then drain; exit 0; fi
  tries=$((tries + 1))
  sleep 1
done
`;

/** What a run tells its guardian. */
export interface GuardianControl {
  /** Nobody reads this stream any more, so that the command gets its SIGPIPE. */
  close(stream: StreamName): void;
  /**
   * The command is over and nothing of it holds a pipe: if the wrapper dies now there is nobody to end, and its process
   * group may be another's soon, but what happened is still to be told.
   */
  commandIsOver(): void;
  /** Nothing is left to be done: the guardian is not needed. */
  dismiss(): void;
  /** The command is over, but something it left behind still prints: it is to go on as if someone read it. */
  drain(): void;
}

export class Guardian implements GuardianControl {
  /** Its pid, so that it is not taken for a part of the run; null when it could not be started. */
  readonly pid: number | null = null;
  readonly #control: Writable | null = null;
  #isDismissed = false;

  /** Starts it; whatever goes wrong is told to `log` and leaves the run without a guardian. */
  constructor(plan: GuardianPlan, pipes: ReadEnds, log: Log) {
    const failed = (error: unknown) => log.info(`the guardian is not there: ${describeError(error)}`);
    try {
      const child = startShell(plan, pipes, 'pipe', process.env);
      child.on('error', failed);
      this.pid = child.pid ?? null;
      const pipe = child.stdio[3] ?? null;
      this.#control = pipe !== null && 'write' in pipe ? pipe : null;
      // EPIPE: it was killed. The run goes on without.
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
 * Starts a guardian whose wrapper has died already: it starts a successor at once. For a run that has lost both.
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

/** As a shell reads it back, word by word. */
function shellLine(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
}

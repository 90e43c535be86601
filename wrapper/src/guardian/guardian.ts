/**
 * A shell that outlives the wrapper by a moment, and does what must be done when the wrapper can't any more.
 *
 * A wrapper that is killed takes the read ends of the command's pipes along: a command that was to be kept would die of
 * SIGPIPE at its next print. So the guardian holds them too, without reading. It hears of the wrapper's death by the end
 * of the pipe between them, which no way of dying can avoid. Then it drains the command's pipes, or ends the command.
 *
 * It is a `sh`, not a Node, because one runs beside every command: it costs a megabyte and a millisecond.
 */
import type { ChildProcess } from 'node:child_process';
import type { Writable } from 'node:stream';
import type { StreamName } from '#protocol/output-frame';
import { describeError, type Log } from '../log.ts';
import type { FamilyOrigin } from '../processes/family.ts';
import { spawnApart } from '../run/spawn-apart.ts';

/** What the guardian does when the wrapper has died. */
export interface LastWill {
  readonly kind: 'keep' | 'kill';
  /** The command's process group: killed by the shell itself if `end` fails. */
  readonly pgid: number;
  /** Ends all of the run; its success is relied on. For `kill`. */
  readonly end: readonly string[];
  /** What `end` is told of the run's processes, because there may be no record of them; null when nothing is known. */
  readonly family: FamilyOrigin | null;
  /** Tells what happened; null when there is nobody to tell. */
  readonly tell: readonly string[] | null;
}

/** The variable that holds it. */
export const FAMILY_VARIABLE = 'LEASH_FAMILY';

/**
 * Descriptors of the read ends; null where there is none. They must block, which is a property of the open file: `cat`
 * would see EAGAIN, and end.
 */
export type ReadEnds = Readonly<Record<StreamName, number | null>>;

// Descriptors: 3 the words of the wrapper, 4 and 5 the command's stdout and stderr. A `cat` outlives the shell, and is
// nobody's child, since what the shell becomes would not collect it. While the command is being ended it is drained as
// well: what it has to say must not keep it from ending.
const SCRIPT = `
will=$1 pgid=$2 end=$3 tell=$4
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
(cat <&4 &)
(cat <&5 &)
exec 4<&- 5<&-
if [ "$word" = drain ]; then exit 0; fi
if [ "$will" = kill ]; then eval "$end" || kill -s KILL -- "-$pgid"; fi
eval "exec $tell"
`;

export class Guardian {
  /** Its pid, so that it is not taken for a part of the run; null when it could not be started. */
  readonly pid: number | null = null;
  readonly #words: Writable | null = null;
  #isDismissed = false;

  /** Starts it; whatever goes wrong is told to `log` and leaves the run without a guardian. */
  constructor(will: LastWill, pipes: ReadEnds, log: Log) {
    const failed = (error: unknown) => log.note(`the guardian is not there: ${describeError(error)}`);
    try {
      const child = startShell(will, pipes);
      child.on('error', failed);
      this.pid = child.pid ?? null;
      const pipe = child.stdio[3] ?? null;
      this.#words = pipe !== null && 'write' in pipe ? pipe : null;
      // EPIPE: it was killed. The run goes on without.
      this.#words?.on('error', failed);
    } catch (error) {
      // Too many open files, say.
      failed(error);
    }
  }

  /** Nobody reads this stream any more, so that the command gets its SIGPIPE. */
  close(stream: StreamName): void {
    this.#say(`close-${stream}`);
  }

  /**
   * The command is over and nothing of it holds a pipe: if the wrapper dies now there is nobody to end, and its process
   * group may be another's soon, but what happened is still to be told.
   */
  commandIsOver(): void {
    this.#say('over');
  }

  /** Nothing is left to be done: the guardian is not needed. */
  dismiss(): void {
    this.#sayLast('done');
  }

  /** The command is over, but something it left behind still prints: it is to go on as if someone read it. */
  drain(): void {
    this.#sayLast('drain');
  }

  #sayLast(word: string): void {
    this.#say(word);
    this.#isDismissed = true;
  }

  #say(word: string): void {
    if (!this.#isDismissed) this.#words?.write(`${word}\n`);
  }
}

function startShell({ kind, pgid, end, family, tell }: LastWill, { stdout, stderr }: ReadEnds): ChildProcess {
  const words = [kind, String(pgid), shellLine(end), shellLine(tell ?? [])];
  return spawnApart('/bin/sh', ['-c', SCRIPT, 'leash-guardian', ...words], {
    env: family === null ? process.env : { ...process.env, [FAMILY_VARIABLE]: JSON.stringify(family) },
    cwd: '/',
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', stdout ?? 'ignore', stderr ?? 'ignore'],
  });
}

/** As a shell reads it back, word by word. */
function shellLine(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
}

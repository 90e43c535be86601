/**
 * A shell that outlives the wrapper by a moment, and does what must be done when the wrapper can't any more.
 *
 * A wrapper that is killed takes the read ends of the command's pipes along: a command that was to be kept would die of
 * SIGPIPE at its next print. So the guardian holds them too, without reading. It hears of the wrapper's death by the end
 * of the pipe between them, which no way of dying can avoid. Then it drains the command's pipes, or ends the command.
 *
 * It is a `sh`, not a Node, because one runs beside every command: it costs a megabyte and a millisecond.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import type { StreamName } from '#protocol/output-frame';
import { describeError, type Log } from '../log.ts';

/** What the guardian does when the wrapper has died. */
export interface LastWill {
  readonly kind: 'keep' | 'kill';
  /** The command's process group: ended by the shell itself if `command` fails. */
  readonly pgid: number;
  /** `keep`: run once, to tell what happened. `kill`: run to end all of the run; its success is relied on. */
  readonly command: readonly string[];
}

/**
 * Descriptors of the read ends; null where there is none. They must block, which is a property of the open file: `cat`
 * would see EAGAIN, and end.
 */
export type ReadEnds = Readonly<Record<StreamName, number | null>>;

// Descriptors: 3 the words of the wrapper, 4 and 5 the command's stdout and stderr.
const SCRIPT = `
will=$1 pgid=$2
shift 2
word=
while read -r word <&3; do
  case $word in
    done) exit 0 ;;
    close-stdout) exec 4<&- ;;
    close-stderr) exec 5<&- ;;
    drain) break ;;
  esac
done
exec 3<&-
if [ "$word" != drain ]; then
  case $will in
    kill)
      "$@" || kill -s KILL -- "-$pgid"
      exit 0
      ;;
    keep) "$@" 4<&- 5<&- & ;;
  esac
fi
cat <&4 &
exec 4<&-
exec cat <&5
`;

export class Guardian {
  readonly #child: ChildProcess;
  readonly #words: Writable | null;
  #isDismissed = false;

  /** Starts it; whatever goes wrong is told to `log` and leaves the run without a guardian. */
  constructor(will: LastWill, pipes: ReadEnds, log: Log) {
    const { stdout, stderr } = pipes;
    this.#child = spawn('/bin/sh', ['-c', SCRIPT, 'leash-guardian', will.kind, String(will.pgid), ...will.command], {
      cwd: '/',
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', stdout ?? 'ignore', stderr ?? 'ignore'],
    });
    const failed = (error: Error) => log.note(`the guardian is not there: ${describeError(error)}`);
    this.#child.on('error', failed);
    const words = this.#child.stdio[3] ?? null;
    this.#words = words !== null && 'write' in words ? words : null;
    // EPIPE: it was killed. The run goes on without.
    this.#words?.on('error', failed);
  }

  /** Its pid, so that it is not taken for a part of the run; null when it could not be started. */
  get pid(): number | null {
    return this.#child.pid ?? null;
  }

  /** Nobody reads this stream any more, so that the command gets its SIGPIPE. */
  close(stream: StreamName): void {
    this.#say(`close-${stream}`);
  }

  /** The command is over and nothing of it holds a pipe: the guardian is not needed. */
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

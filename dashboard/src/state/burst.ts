/** Changes that come in a burst are drawn together. */
import type { Command, Run } from '#protocol/api';
import type { WatchMessage } from '#protocol/watch-link';

const GATHER_MS = 50;

export class Burst {
  readonly #flush: (runs: Run[], commands: Command[]) => void;
  #runs: Run[] = [];
  #commands: Command[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(flush: (runs: Run[], commands: Command[]) => void) {
    this.#flush = flush;
  }

  /** Takes what concerns runs and commands; anything else is nothing to it. */
  take(message: WatchMessage): void {
    if (message.type === 'run') this.#runs.push(message.run);
    else if (message.type === 'command') this.#commands.push(message.command);
    else return;
    this.#timer ??= setTimeout(() => this.#end(), GATHER_MS);
  }

  /** What has been gathered is dropped. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #end(): void {
    this.#timer = undefined;
    const [runs, commands] = [this.#runs, this.#commands];
    this.#runs = [];
    this.#commands = [];
    this.#flush(runs, commands);
  }
}

/** The floor of a kill: the same signal to the same command, through a bare Node.js server and a bare Node.js client. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Cleanup } from '../measure/cleanup.ts';
import { startFloorProcess } from '../measure/floor-process.ts';
import { SignalledCommand, type SignalTimes } from './signalled-command.ts';

const SERVER = new URL('./floor-server.ts', import.meta.url);
const CLIENT = new URL('./floor-client.ts', import.meta.url);

export class Floor {
  readonly #url: string;
  readonly #directory: string;
  #nextCommand = 0;

  private constructor(url: string, directory: string) {
    this.#url = url;
    this.#directory = directory;
  }

  static async start(cleanup: Cleanup, directory: string): Promise<Floor> {
    const port = Number(await startFloorProcess(cleanup, SERVER));
    await startFloorProcess(cleanup, CLIENT, String(port));
    return new Floor(`http://127.0.0.1:${port}/`, directory);
  }

  /** Starts commands, and signals them one after the other. */
  async measure(count: number): Promise<SignalTimes[]> {
    const commands = Array.from({ length: count }, () => {
      const command = new SignalledCommand(this.#directory, `floor-${this.#nextCommand++}`);
      const [program = '', ...args] = command.argv;
      return { command, child: spawn(program, args, { stdio: 'ignore' }) };
    });
    await Promise.all(commands.map(({ command }) => command.isReady()));
    const times: SignalTimes[] = [];
    for (const { command, child } of commands) {
      const signalled = await this.#signal(command, child);
      if (signalled === null) throw new Error('the floor did not signal its command');
      times.push(signalled);
    }
    return times;
  }

  async #signal(command: SignalledCommand, child: ChildProcess): Promise<SignalTimes | null> {
    const exited = once(child, 'exit');
    const times = await command.time(async () => {
      const body = JSON.stringify({ pid: child.pid });
      const response = await fetch(this.#url, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json' },
      });
      await response.text();
      return response.ok;
    });
    await exited;
    return times;
  }
}

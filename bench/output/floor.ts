/** The floor of output: a bare Node.js server that stores and passes on, and a bare client that runs the command. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cleanup } from '../measure/cleanup.ts';
import { startFloorProcess } from '../measure/floor-process.ts';

const SERVER = new URL('./floor-server.ts', import.meta.url);
const CLIENT = fileURLToPath(new URL('./floor-client.ts', import.meta.url));

export class OutputFloor {
  readonly watchUrl: string;
  readonly #port: number;
  readonly #cleanup: Cleanup;

  private constructor(port: number, cleanup: Cleanup) {
    this.#port = port;
    this.#cleanup = cleanup;
    this.watchUrl = `ws://127.0.0.1:${port}/watch`;
  }

  static async start(cleanup: Cleanup, directory: string): Promise<OutputFloor> {
    const port = await startFloorProcess(cleanup, SERVER, join(directory, 'floor-output'));
    return new OutputFloor(Number(port), cleanup);
  }

  /** Runs a command; its process ends when all of its output is stored. */
  run(command: readonly string[]): ChildProcess {
    const client = spawn(process.execPath, [CLIENT, String(this.#port), ...command], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    this.#cleanup.add(() => void client.kill('SIGKILL'));
    return client;
  }
}

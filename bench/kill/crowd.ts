/** Thousands of other processes on the machine: they sleep, and all end with the pipe that they read from. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Cleanup } from '../measure/cleanup.ts';

/** Forks of one shell: a program for each would take seconds to start. */
const SCRIPT = 'i=0; while [ "$i" -lt "$1" ]; do (read -r _ <&3) & i=$((i + 1)); done; echo ready; wait';

/**
 * Resolves when all are there. They also end with this process, however that ends.
 *
 * @returns ends them
 */
export async function startCrowd(cleanup: Cleanup, count: number): Promise<() => Promise<void>> {
  const shell = spawn('sh', ['-c', SCRIPT, 'sh', String(count)], { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] });
  const exited = once(shell, 'exit');
  const [, stdout, , pipe] = shell.stdio;
  if (stdout === null || stdout === undefined || pipe === null || pipe === undefined) throw new Error('no pipes');
  const end = async () => {
    pipe.destroy();
    await exited;
  };
  cleanup.add(end);
  await Promise.race([
    once(stdout, 'data'),
    exited.then(() => Promise.reject(new Error(`${count} processes could not be started`))),
  ]);
  return end;
}

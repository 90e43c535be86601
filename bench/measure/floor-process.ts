/** The processes that a floor is made of. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Cleanup } from './cleanup.ts';

/**
 * Starts a program of a floor.
 *
 * @returns its first message, which says that it is ready: that of a server is its port
 */
export async function startFloorProcess(cleanup: Cleanup, program: URL, ...args: string[]): Promise<unknown> {
  const child = fork(program, args);
  cleanup.add(() => void child.kill('SIGKILL'));
  const [message] = await once(child, 'message');
  return message;
}

/** The very last step. */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/** What is under way on a disk that works is over by then. */
const PATIENCE_MS = 500;
/** What occupies a thread of Node's pool, as Node names it. */
const POOLED = /^(FSReq|FileHandleCloseReq|GetAddrInfo|GetNameInfo)/i;

/**
 * Ends this process with `exitCode`.
 *
 * `process.exit` waits for the threads of Node's pool, and so for ever when one of them waits for a disk that hangs. To
 * become another program waits for nobody: this one becomes one that only exits.
 */
export async function leaveProcess(exitCode: number): Promise<never> {
  const until = performance.now() + PATIENCE_MS;
  while (isPoolBusy() && performance.now() < until) await sleep(10);
  if (isPoolBusy() && process.platform !== 'win32') become('/bin/sh', ['sh', '-c', `exit ${exitCode}`]);
  process.exit(exitCode);
}

function isPoolBusy(): boolean {
  return process.getActiveResourcesInfo().some((name) => POOLED.test(name));
}

function become(program: string, args: readonly string[]): void {
  // A Node before 22.15 can't. Its exit code is lost then, which is better than a crontab line that never ends.
  if (!('execve' in process) || typeof process.execve !== 'function') process.kill(process.pid, 'SIGKILL');
  else process.execve(program, args, {});
}

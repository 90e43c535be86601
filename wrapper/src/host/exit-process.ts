/** The very last step. */
import fs from 'node:fs';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/** What is under way on a disk that works is over by then. */
const PATIENCE_MS = 500;
/** The same where the exit code is at stake, on a machine that is very busy. */
const LONG_PATIENCE_MS = 30_000;
/** What occupies a thread of Node's pool, as Node names it. */
const POOLED = /^(FSReq|FileHandleCloseReq|GetAddrInfo|GetNameInfo)/i;

/**
 * Ends this process with `exitCode`.
 *
 * `process.exit` waits for the threads of Node's pool, and so for ever when one of them waits for a disk that hangs. To
 * become another program waits for nobody: this one becomes one that only exits.
 */
export async function exitProcess(exitCode: number): Promise<never> {
  const until = performance.now() + (canExec() ? PATIENCE_MS : LONG_PATIENCE_MS);
  while (isPoolBusy() && performance.now() < until) await sleep(10);
  if (isPoolBusy() && process.platform !== 'win32') exitAtOnce(exitCode);
  closeTerminals();
  process.exit(exitCode);
}

/** Node 18 and 20 abort at their exit, and dump core, when a terminal that they were started with has gone since. */
function closeTerminals(): void {
  for (const fd of [0, 1, 2]) {
    try {
      // One that has gone is no `isatty` any more.
      if (fs.fstatSync(fd).isCharacterDevice()) fs.closeSync(fd);
    } catch {
      // EBADF: it is closed as it is.
    }
  }
}

function isPoolBusy(): boolean {
  return process.getActiveResourcesInfo().some((name) => POOLED.test(name));
}

/** Node 22.15 and later. */
function canExec(): boolean {
  return 'execve' in process && typeof process.execve === 'function';
}

function exitAtOnce(exitCode: number): void {
  if (canExec()) process.execve?.('/bin/sh', ['sh', '-c', `exit ${exitCode}`], {});
  // The code is lost, which is better than a crontab line that never ends.
  fs.writeSync(2, `leash: the disk does not answer: ending by SIGKILL instead of with the exit code ${exitCode}\n`);
  process.kill(process.pid, 'SIGKILL');
}

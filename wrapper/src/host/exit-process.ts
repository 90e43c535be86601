/** Exits, even when a disk hangs. */
import fs from 'node:fs';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/** By then, what is in progress on a disk that works is over. */
const PATIENCE_MS = 500;
/** The same where the exit code is at stake, on a machine that is very busy. */
const LONG_PATIENCE_MS = 30_000;
/** Node's names for what occupies a thread of its pool. */
const POOLED = /^(FSReq|FileHandleCloseReq|GetAddrInfo|GetNameInfo)/i;

/**
 * Ends this process with `exitCode`.
 *
 * `process.exit` waits for the threads of Node's pool, and never returns when one of them waits for a disk that hangs. exec
 * does not wait: this process then becomes a shell that only exits.
 */
export async function exitProcess(exitCode: number): Promise<never> {
  const until = performance.now() + (canExec() ? PATIENCE_MS : LONG_PATIENCE_MS);
  while (isPoolBusy() && performance.now() < until) await sleep(10);
  if (isPoolBusy() && process.platform !== 'win32') exitAtOnce(exitCode);
  closeTerminals();
  process.exit(exitCode);
}

/** Node 18 and 20 abort at their exit, and dump core, when the terminal that they were started with is gone. */
function closeTerminals(): void {
  for (const fd of [0, 1, 2]) {
    try {
      // Not `isatty`: that is false for a terminal that is gone.
      if (fs.fstatSync(fd).isCharacterDevice()) fs.closeSync(fd);
    } catch {
      // EBADF: it is closed already.
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
  fs.writeSync(2, `leash: the disk does not respond: exiting by SIGKILL instead of with the exit code ${exitCode}\n`);
  process.kill(process.pid, 'SIGKILL');
}

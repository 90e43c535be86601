/**
 * How an owner shows across PID namespaces that it lives: by a FIFO in its directory that it holds open for reading. The
 * kernel closes it with the process, and to open it for writing then fails with ENXIO, from wherever that is tried. Only
 * those make one that some others who share the directory can't see: whoever is not in the machine's first namespace.
 */
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { hasCode } from '../host/error-code.ts';
import type { ProcessRef } from '../processes/process-ref.ts';
import { processName } from './process-name.ts';

const PREFIX = 'alive@';
/** The machine's first PID namespace has the same number everywhere (PROC_PID_INIT_INO). */
const FIRST_NAMESPACE = '4026531836';

const open = promisify(fs.open);
const close = promisify(fs.close);

/** What is held open here, by the path of its directory. */
const held = new Map<string, number>();

/**
 * Shows in `made` that `self` lives. Never fails: without it, others take us to be alive for as long as they can't know.
 *
 * @param directory what `made` is going to be called
 */
export async function showLife(made: string, self: ProcessRef, directory = made): Promise<void> {
  if (self.pidNamespace === undefined || self.pidNamespace === FIRST_NAMESPACE || held.has(directory)) return;
  const file = fifoOf(made, self);
  try {
    // By its name alone: everyone on the machine can read arguments, and the directory may be named after the run.
    await promisify(execFile)('mkfifo', ['-m', '600', path.basename(file)], { cwd: made });
  } catch {
    // There is no such program, or no FIFO on this file system.
    return;
  }
  try {
    held.set(directory, await open(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK));
  } catch {
    // Too many open files. A sign that nobody holds would be one of death.
    await fs.promises.rm(file, { force: true }).catch(() => {});
  }
}

/** What was shown there ends. Never fails. */
export async function hideLife(directory: string, self: ProcessRef): Promise<void> {
  const fd = held.get(directory);
  if (fd === undefined) return;
  held.delete(directory);
  await close(fd).catch(() => {});
  await removeSign(directory, self);
}

/** Removes what is left of an owner that is dead. Never fails. */
export async function removeSign(directory: string, dead: ProcessRef): Promise<void> {
  await fs.promises.rm(fifoOf(directory, dead), { force: true }).catch(() => {});
}

/** Whether `owner` shows in its directory that it lives; null when it shows neither that nor its death. */
export async function showsLife(directory: string, owner: ProcessRef): Promise<boolean | null> {
  try {
    await close(await open(fifoOf(directory, owner), fs.constants.O_WRONLY | fs.constants.O_NONBLOCK));
    return true;
  } catch (error) {
    return hasCode(error, 'ENXIO') ? false : null;
  }
}

function fifoOf(directory: string, owner: ProcessRef): string {
  return path.join(directory, PREFIX + processName(owner));
}

/** Starting the command. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { StreamName } from '#protocol/output-frame';
import type { RawExit } from '#protocol/run-state';
import { rawExit } from './exit.ts';

export interface RunningCommand {
  readonly kind: 'running';
  readonly pid: number;
  readonly streams: Readonly<Record<StreamName, Readable>>;
  /** Resolves when the command itself has exited, whether or not its pipes are still held open. Never rejects. */
  readonly exited: Promise<RawExit>;
}

export type Started = RunningCommand | { readonly kind: 'not_started'; readonly why: string };

/**
 * Starts `command` in a process group of its own, with our stdin.
 *
 * Resolves as soon as it is known whether the command could be started. Never rejects.
 */
export async function startCommand(
  command: readonly [string, ...string[]],
  env: Record<string, string | undefined>,
): Promise<Started> {
  const [program, ...args] = command;
  let child: ChildProcess;
  try {
    child = spawn(program, args, { detached: true, env, stdio: ['inherit', 'pipe', 'pipe'] });
  } catch (error) {
    // Some failures are thrown, not emitted: an argument list that is too long, a NUL in an argument.
    return { kind: 'not_started', why: explain(error) };
  }
  const { pid, stdout, stderr } = child;
  if (pid === undefined || stdout === null || stderr === null) return notStarted(child);
  child.on('error', () => {
    // Only a failed kill() or send() can come now; neither is used.
  });
  const exited = new Promise<RawExit>((resolve) => {
    child.once('exit', (code, signal) => resolve(rawExit(code, signal)));
  });
  return { kind: 'running', pid, streams: { stdout, stderr }, exited };
}

function notStarted(child: ChildProcess): Promise<Started> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ kind: 'not_started', why: explain(error) }));
  });
}

const EXPLANATIONS: Readonly<Record<string, string>> = {
  ENOENT: 'not found',
  EACCES: 'permission denied',
  ENOEXEC: 'not an executable',
  E2BIG: 'the argument list is too long',
  EAGAIN: 'too many processes',
  EMFILE: 'too many open files',
  ENOMEM: 'out of memory',
};

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return EXPLANATIONS[code] ?? error.message;
}

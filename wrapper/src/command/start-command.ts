/** Starting the command as if the wrapper were not there. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { RawExit } from '#protocol/run-state';
import { type Account, accountEnvironment, findAccount, whyNotAs } from './account.ts';
import { rawExit } from './exit.ts';
import type { LaunchState } from './launch-state.ts';
import { type Fifo, type MadeFifos, makeFifos, type OutputPipe, streamPipe } from './output-pipe.ts';
import { findProgram } from './program.ts';
import { SHELL, shimArguments } from './shim.ts';

export interface CommandSpec {
  readonly command: readonly [string, ...string[]];
  /** All of the command's environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** null for our own. */
  readonly cwd: string | null;
  /** The name or number of the user to run it as; null for ourselves. */
  readonly user: string | null;
  /** Whether stderr goes down the same pipe as stdout. */
  readonly merge: boolean;
  /** The `cgroup.procs` of the cgroup it is to enter; null for none. */
  readonly joinFile: string | null;
  readonly launch: LaunchState;
}

export interface CommandOutput {
  readonly stdout: OutputPipe;
  /** null when it is merged into stdout. */
  readonly stderr: OutputPipe | null;
}

export interface RunningCommand {
  readonly kind: 'running';
  /** Also the id of its process group and of its session. */
  readonly pid: number;
  readonly output: CommandOutput;
  /** Resolves when the command itself has exited, whether or not its pipes are still held open. Never rejects. */
  readonly exited: Promise<RawExit>;
  /** What could not be made quite as it should be; null as a rule. */
  readonly remark: string | null;
}

export interface NotStarted {
  readonly kind: 'not_started';
  /** Completes "cannot start NAME: ". */
  readonly why: string;
}

export type Started = RunningCommand | NotStarted;

/** What is needed to spawn, all checks passed. */
interface Prepared {
  readonly kind: 'prepared';
  readonly spec: CommandSpec;
  readonly account: Account | null;
}

/** Makes the pipes for a command, as a head start: it can be waited for while other things are got ready. */
export function prepareOutput(merge: boolean): Promise<MadeFifos> {
  return makeFifos(merge ? 1 : 2);
}

/**
 * Starts the command in a session of its own, with our stdin.
 *
 * Resolves as soon as it is known whether the command could be started. Never rejects.
 *
 * @param output the result of `prepareOutput` with the same `merge`; it is used up, whatever comes of the start
 */
export async function startCommand(spec: CommandSpec, output = prepareOutput(spec.merge)): Promise<Started> {
  const prepared = prepare(spec);
  const made = await output;
  if (made.kind === 'failed') {
    return prepared.kind === 'not_started' ? prepared : startWith(prepared, { kind: 'streams', why: made.why });
  }
  const [stdout, stderr = null] = made.fifos;
  let started: Started = notStarted('no pipe was made');
  try {
    if (prepared.kind === 'not_started') started = prepared;
    else if (stdout !== undefined) started = await startWith(prepared, { kind: 'fifos', stdout, stderr });
  } finally {
    for (const { writeFd, pipe } of made.fifos) {
      // The command alone holds the writing ends: when it and its children are gone, that is the end.
      fs.closeSync(writeFd);
      if (started.kind === 'not_started') pipe.close();
    }
  }
  return started;
}

function prepare(spec: CommandSpec): Prepared | NotStarted {
  const where = spec.cwd === null ? null : whyNotIn(spec.cwd);
  if (where !== null) return notStarted(where);
  const found = spec.user === null ? null : findAccount(spec.user);
  if (found?.kind === 'unusable') return notStarted(found.why);
  const account = found?.account ?? null;
  const env = account === null ? spec.env : { ...spec.env, ...accountEnvironment(account) };
  const program = findProgram(spec.command[0], env.PATH, spec.cwd === null ? ownDirectory() : path.resolve(spec.cwd));
  if (program.kind === 'unusable') return notStarted(program.why);
  const denied = account === null ? null : whyNotAs(account, program.path);
  if (denied !== null) return notStarted(denied);
  return { kind: 'prepared', spec: { ...spec, env }, account };
}

/** Where we are; where nothing is found if that has been deleted, as would happen to the command by itself. */
function ownDirectory(): string {
  try {
    return process.cwd();
  } catch {
    // ENOENT: deleted under our feet. What stands in PATH can be run there all the same.
    return '/proc/self/cwd';
  }
}

/** Said here, because spawn's own error for a directory is the same as for a missing program. */
function whyNotIn(directory: string): string | null {
  try {
    if (!fs.statSync(directory).isDirectory()) return `the working directory ${directory} is not a directory`;
    fs.accessSync(directory, fs.constants.X_OK);
    return null;
  } catch (error) {
    return `the working directory ${directory} can't be entered: ${explain(error)}`;
  }
}

type Pipes =
  | { readonly kind: 'fifos'; readonly stdout: Fifo; readonly stderr: Fifo | null }
  /** Node's own. */
  | { readonly kind: 'streams'; readonly why: string };

async function startWith({ spec, account }: Prepared, pipes: Pipes): Promise<Started> {
  if (account !== null && pipes.kind === 'fifos') {
    // Only their owner can open them by path.
    for (const { writeFd } of [pipes.stdout, pipes.stderr ?? pipes.stdout]) fs.fchownSync(writeFd, account.uid, -1);
  }
  const child = spawnCommand(spec, account, pipes);
  return child instanceof Error ? notStarted(explain(child)) : afterSpawn(child, pipes, spec.merge);
}

function spawnCommand(spec: CommandSpec, account: Account | null, pipes: Pipes): ChildProcess | Error {
  const merge = spec.merge && pipes.kind === 'streams';
  const args = shimArguments({ ...spec, account, merge });
  const [program, ...programArgs] = spec.command;
  const withShim = args !== null && (account !== null || merge || fs.existsSync(SHELL));
  try {
    return spawn(withShim ? SHELL : program, withShim ? args : programArgs, {
      detached: true,
      // Some of them have no prototype, some are of another kind: spawn reads own properties only.
      env: { ...spec.env },
      stdio: stdioFor(pipes, merge, spec.launch.descriptors),
      ...(spec.cwd === null ? {} : { cwd: spec.cwd }),
    });
  } catch (error) {
    // Some failures are thrown, not emitted: an argument list that is too long, a NUL in an argument.
    return error instanceof Error ? error : new Error(String(error));
  }
}

function stdioFor(pipes: Pipes, merge: boolean, descriptors: readonly number[]): StdioOptions {
  const output: ('pipe' | 'ignore' | number)[] =
    pipes.kind === 'streams'
      ? ['pipe', merge ? 'ignore' : 'pipe']
      : [pipes.stdout.writeFd, pipes.stderr?.writeFd ?? pipes.stdout.writeFd];
  const stdio: ('inherit' | 'ignore' | 'pipe' | number)[] = ['inherit', ...output];
  for (const fd of descriptors) stdio[fd] = fd;
  // Beyond stderr, 'ignore' leaves a descriptor closed.
  return Array.from(stdio, (each) => each ?? 'ignore');
}

function afterSpawn(child: ChildProcess, pipes: Pipes, merge: boolean): Promise<Started> {
  const { pid } = child;
  if (pid === undefined) {
    return new Promise((resolve) => {
      child.once('error', (error) => resolve(notStarted(explain(error))));
    });
  }
  child.on('error', () => {
    // Only a failed kill() or send() can come now; neither is used.
  });
  const exited = new Promise<RawExit>((resolve) => {
    child.once('exit', (code, signal) => resolve(rawExit(code, signal)));
  });
  const output = outputOf(child, pipes, merge);
  if (output === null) return Promise.resolve(notStarted('no pipe was made'));
  const remark =
    pipes.kind === 'fifos'
      ? null
      : `the command can't open /dev/stdout and /dev/stderr: no FIFO could be made: ${pipes.why}`;
  return Promise.resolve({ kind: 'running', pid, output, exited, remark });
}

function outputOf({ stdout, stderr }: ChildProcess, pipes: Pipes, merge: boolean): CommandOutput | null {
  if (pipes.kind === 'fifos') return { stdout: pipes.stdout.pipe, stderr: pipes.stderr?.pipe ?? null };
  if (stdout === null || (stderr === null && !merge)) return null;
  return { stdout: streamPipe(stdout), stderr: stderr === null ? null : streamPipe(stderr) };
}

function notStarted(why: string): NotStarted {
  return { kind: 'not_started', why };
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

/** Starts the command as it would start without the wrapper. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { RawExit } from '#protocol/run-state';
import { type Account, accountEnvironment, findAccount, whyNotAs } from '../host/account.ts';
import { fromBytes, hasUndecodable, isLossy, shown, toBytes } from '../host/undecodable-bytes.ts';
import { type CommandOutput, type Fifo, type MadeFifos, makeFifos, streamPipe } from '../output/output-pipe.ts';
import { rawExit } from './exit.ts';
import type { LaunchState } from './launch-state.ts';
import { findProgram } from './program.ts';
import { hasOwnBytes, SHELL, shimArguments, spawnableEnvironment } from './shim.ts';
import { openStartFailure, type StartFailure } from './start-failure.ts';

export interface CommandSpec {
  readonly command: readonly [string, ...string[]];
  /** The command's whole environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** null for our own. */
  readonly cwd: string | null;
  /** The name or number of the user to run it as; null for our own. */
  readonly user: string | null;
  /** Whether stderr goes to the same pipe as stdout. */
  readonly merge: boolean;
  /** The `cgroup.procs` of the cgroup that it enters; null for none. */
  readonly joinFile: string | null;
  readonly launch: LaunchState;
}

export interface RunningCommand {
  readonly kind: 'running';
  /** Also the id of its process group and of its session. */
  readonly pid: number;
  readonly output: CommandOutput;
  /** Resolves when the command itself has exited, whether or not its pipes are still held open. Never rejects. */
  readonly exited: Promise<RawExit>;
  /**
   * Once `exited` has resolved: why the shell in between could not become the command, as the rest of
   * "cannot start NAME: "; usually null.
   */
  whyNotExecuted(): string | null;
  /** What differs from a start without a wrapper; usually null. */
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

/** Starts to create the pipes for a command, so that other preparations run meanwhile. */
export function prepareOutput(merge: boolean): Promise<MadeFifos> {
  return makeFifos(merge ? 1 : 2);
}

/**
 * Starts the command in a session of its own, with our stdin.
 *
 * Resolves as soon as it is known whether the command could be started. Never rejects.
 *
 * @param output the result of `prepareOutput` with the same `merge`; it is used up, even if the start fails
 */
export async function startCommand(spec: CommandSpec, output = prepareOutput(spec.merge)): Promise<Started> {
  const prepared = prepare(spec);
  const made = await output;
  if (made.kind === 'failed') {
    return prepared.kind === 'not_started' ? prepared : startWith(prepared, { kind: 'streams', why: made.why });
  }
  const [stdout, stderr = null] = made.fifos;
  let started: Started = notStarted('no pipe could be created');
  try {
    if (prepared.kind === 'not_started') started = prepared;
    else if (stdout !== undefined) started = await startWith(prepared, { kind: 'fifos', stdout, stderr });
  } finally {
    for (const { writeFd, pipe } of made.fifos) {
      // Only the command holds the write ends: when it and its children have exited, the pipe ends.
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

/** Our working directory; if it was deleted, one in which nothing is found, as for the command without the wrapper. */
function ownDirectory(): string {
  try {
    const directory = process.cwd();
    return isLossy(directory) ? fromBytes(fs.readlinkSync('/proc/self/cwd', 'buffer')) : directory;
  } catch {
    // ENOENT: deleted. Programs in PATH can be run there anyway.
    return DELETED;
  }
}

/** The path to a deleted working directory. */
const DELETED = '/proc/self/cwd';

/** Checked here, because spawn's error for a missing directory is the same as for a missing program. */
function whyNotIn(directory: string): string | null {
  try {
    const file = toBytes(directory);
    if (!fs.statSync(file).isDirectory()) return `the working directory ${shown(directory)} is not a directory`;
    fs.accessSync(file, fs.constants.X_OK);
    return null;
  } catch (error) {
    return `cannot enter the working directory ${shown(directory)}: ${explain(error)}`;
  }
}

type Pipes =
  | { readonly kind: 'fifos'; readonly stdout: Fifo; readonly stderr: Fifo | null }
  /** Node's own. */
  | { readonly kind: 'streams'; readonly why: string };

async function startWith({ spec, account }: Prepared, pipes: Pipes): Promise<Started> {
  if (account !== null && pipes.kind === 'fifos') {
    // Only the owner of a FIFO can open it by path.
    for (const { writeFd } of [pipes.stdout, pipes.stderr ?? pipes.stdout]) fs.fchownSync(writeFd, account.uid, -1);
  }
  const failure = openStartFailure();
  const child = spawnCommand(spec, account, pipes, failure);
  const started = child instanceof Error ? notStarted(explain(child)) : await afterSpawn(child, spec, pipes, failure);
  if (started.kind === 'not_started') failure?.close();
  return started;
}

function spawnCommand(
  spec: CommandSpec,
  account: Account | null,
  pipes: Pipes,
  failure: StartFailure | null,
): ChildProcess | Error {
  const merge = spec.merge && pipes.kind === 'streams';
  const withBytes = hasOwnBytes(spec);
  const shellCwd = spec.cwd !== null && hasUndecodable(spec.cwd) ? spec.cwd : null;
  const args = shimArguments({ ...spec, account, merge, cwd: shellCwd, failureFile: failure?.file ?? null });
  const [program, ...programArgs] = spec.command;
  const withShim = args !== null && (account !== null || merge || withBytes || fs.existsSync(SHELL));
  try {
    return spawn(withShim ? SHELL : program, withShim ? args : programArgs, {
      detached: true,
      // Some environments have no prototype: spawn reads own properties only.
      env: withShim ? shellEnvironment(spec) : { ...spec.env },
      stdio: stdioFor(pipes, merge, spec.launch.descriptors),
      ...(spec.cwd === null || shellCwd !== null ? {} : { cwd: spec.cwd }),
    });
  } catch (error) {
    // Some errors are thrown, not emitted: an argument list that is too long, a NUL in an argument.
    return error instanceof Error ? error : new Error(String(error));
  }
}

function shellEnvironment({ env, cwd }: CommandSpec): NodeJS.ProcessEnv {
  const spawnable = spawnableEnvironment(env);
  // A shell that can't determine its directory prints an error, unless PWD is set. The command gets its own PWD anyway.
  return cwd === null && ownDirectory() === DELETED ? { ...spawnable, PWD: DELETED } : spawnable;
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

function afterSpawn(
  child: ChildProcess,
  { command, env, launch, merge }: CommandSpec,
  pipes: Pipes,
  failure: StartFailure | null,
): Promise<Started> {
  const { pid } = child;
  if (pid === undefined) {
    return new Promise((resolve) => {
      child.once('error', (error) => resolve(notStarted(explain(error))));
    });
  }
  child.on('error', () => {
    // Only a failed kill() or send() could follow; neither is used.
  });
  let why: string | null = null;
  const exited = new Promise<RawExit>((resolve) => {
    child.once('exit', (code, signal) => {
      why = failure?.close() === true && code !== null ? whyRefused(command, env, launch) : null;
      resolve(rawExit(code, signal));
    });
  });
  const output = outputOf(child, pipes, merge);
  if (output === null) return Promise.resolve(notStarted('no pipe could be created'));
  const remark =
    pipes.kind === 'fifos'
      ? null
      : `the command can't open /dev/stdout and /dev/stderr: no FIFO could be created: ${pipes.why}`;
  return Promise.resolve({ kind: 'running', pid, output, exited, whyNotExecuted: () => why, remark });
}

/** All checks have passed, and the shell reports the reason on stderr, not to us. */
function whyRefused(command: CommandSpec['command'], env: CommandSpec['env'], { stackSoft }: LaunchState): string {
  const words = [...command, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
  const bytes = words.reduce((sum, word) => sum + toBytes(word).length + POINTER_BYTES + 1, 0);
  // The kernel allows a quarter of the stack, and uses some of it itself.
  if (stackSoft !== null && bytes > (stackSoft * 1024) / 4 - 16 * 1024) return explained('E2BIG');
  return `the kernel refused to execute it: ${explained('ETXTBSY')}, damaged, or built for another system`;
}

const POINTER_BYTES = 8;

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
  ETXTBSY: 'it is open for writing (text file busy)',
  EAGAIN: 'too many processes',
  EMFILE: 'too many open files',
  ENOMEM: 'out of memory',
};

function explained(code: string): string {
  return EXPLANATIONS[code] ?? '';
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return explained(code) || error.message;
}

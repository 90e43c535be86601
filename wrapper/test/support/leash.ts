/** `leash run` as a real process. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import { FakeControlPlane, type FakeControlPlaneOptions } from '#testing/fake-control-plane';
import { waitFor } from '#testing/wait-for';
import { nameSources } from '../../../scripts/local/source-maps.ts';
import { removeJournal } from '../../src/journal/run-journal.ts';
import { readFacts } from '../../src/state/run-file.ts';
import { endAll, newMarker } from './processes.ts';

/** The wrapper as it is shipped: made by build-program.ts. */
export const PROGRAM = process.env.LEASH_TEST_PROGRAM ?? '';
/** The Node that runs it: ours, unless the project (vitest.node18.config.ts) names another. */
export const NODE = process.env.LEASH_TEST_NODE ?? process.execPath;

/** What `leash` is in a shell's line. */
export const LEASH = `${NODE} ${PROGRAM}`;

export interface Result {
  readonly code: number | null;
  readonly signal: string | null;
}

export class Leash {
  readonly process: ChildProcess;
  readonly #exit: Promise<Result>;
  #result: Result | null = null;
  readonly #chunks: Buffer[] = [];
  #stderr = '';

  constructor(command: readonly string[], env: NodeJS.ProcessEnv, stdio: StdioOptions) {
    const [program = '', ...args] = command;
    this.process = spawn(program, args, { env, stdio });
    this.process.stdout?.on('data', (bytes: Buffer) => this.#chunks.push(bytes));
    this.process.stderr?.on('data', (bytes: Buffer) => {
      this.#stderr += bytes.toString();
    });
    const readable = this.process.stdout !== null && this.process.stderr !== null;
    this.#exit = new Promise((resolve) => {
      this.process.once(readable ? 'close' : 'exit', (code: number | null, signal: string | null) => {
        this.#result = { code, signal };
        resolve(this.#result);
      });
    });
  }

  /** So far; a stack trace in it names the sources. */
  get stderr(): string {
    return nameSources(this.#stderr);
  }

  get stdout(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** Resolves with how it exited. */
  async exited(): Promise<Result> {
    await waitFor('leash to exit', () => this.#result);
    return this.#exit;
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }
}

/** Neither this machine's settings nor its state are a test's business: each test file has a state directory. */
let ofThisFile: string | null = null;

function stateOfThisFile(): string {
  ofThisFile ??= fs.mkdtempSync(path.join(os.tmpdir(), 'leash-state-'));
  return ofThisFile;
}

/** For setup.ts, after each file. */
export function removeState(): void {
  if (ofThisFile !== null) fs.rmSync(ofThisFile, { recursive: true, force: true });
  ofThisFile = null;
}

const planes: FakeControlPlane[] = [];
const leashes: Leash[] = [];
const markers: string[] = [];

/** A control plane that stops after the test, and fails it if a wrapper violated the protocol. */
export async function controlPlane(options?: FakeControlPlaneOptions): Promise<FakeControlPlane> {
  const plane = await new FakeControlPlane(options).listen();
  planes.push(plane);
  return plane;
}

/** A marker whose processes are ended when the test is over. */
export function marker(): string {
  const made = newMarker();
  markers.push(made);
  return made;
}

export interface Options {
  /** Whose URL it is given. */
  readonly plane?: { readonly url: string };
  readonly options?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly stdio?: StdioOptions;
  /** A program that becomes the wrapper (by exec), such as `nohup`, with its arguments. */
  readonly by?: readonly string[];
  /** A copy of the program. */
  readonly program?: string;
}

/** Runs `leash run --job test <options> -- <command>`. */
export function leashRun(command: readonly string[], { options = [], ...rest }: Options = {}): Leash {
  return leash(['run', '--job', 'test', ...options, '--', ...command], rest);
}

/** Runs `leash <args>`. */
export function leash(
  args: readonly string[],
  { plane, env = {}, stdio, by = [], program = PROGRAM }: Omit<Options, 'options'> = {},
): Leash {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LEASH_')));
  const link = plane === undefined ? {} : { LEASH_URL: plane.url, LEASH_TOKEN: 'secret-token' };
  const started = new Leash(
    [...by, NODE, program, ...args],
    { ...inherited, ...ofThisTest(), ...link, ...env },
    stdio ?? ['ignore', 'pipe', 'pipe'],
  );
  leashes.push(started);
  return started;
}

/** The variables that every `leash` needs that a test starts, by whatever means. */
export function ofThisTest(): NodeJS.ProcessEnv {
  const state = stateOfThisFile();
  // The launcher's note of a Node is the file's own, too. The mark is for endWhatIsLeft: the state directory may be another.
  return { LEASH_CONFIG: '/dev/null', LEASH_STATE_DIR: state, XDG_RUNTIME_DIR: state, LEASH_MARK: state };
}

/** A state directory for one test alone. What uses it is ended with the test. */
export function stateDirectory(): string {
  return fs.mkdtempSync(path.join(stateOfThisFile(), 'test-'));
}

/**
 * The end of a shell's script that stays until a signal ends it, and meanwhile runs the handlers of its traps. It starts
 * hardly anything while it waits. The `sleep` gets each signal that the whole process tree gets; one that comes just before
 * it starts is handled when it ends by itself.
 */
export const WAIT = 'while :; do sleep 10; done';

/** `sh -c script`, with the marker where `living` finds it: as `$0`. */
export function shell(script: string, mark: string): string[] {
  return ['sh', '-c', script, mark];
}

/** Runs `script`, a module, in the wrapper's own process, before anything of it. */
export function sabotage(script: string): NodeJS.ProcessEnv {
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}` };
}

/** Several sabotages, in this order. */
export function together(...sabotages: readonly NodeJS.ProcessEnv[]): NodeJS.ProcessEnv {
  return { NODE_OPTIONS: sabotages.flatMap(({ NODE_OPTIONS }) => NODE_OPTIONS ?? []).join(' ') };
}

/**
 * What a wrapper has written on stderr, without the line by which it leaves what is not stored yet to a flusher: where the
 * machine is busy it does that, and what is awaited comes a little later.
 */
export function stderrOf(leash: Leash): string {
  return leash.stderr.replace(/^leash: the control plane does not have .*\n/m, '');
}

/** Stops the wrapper's clock: it waits for the control plane as long as needed. */
export const STANDING_CLOCK = sabotage(
  `const at = performance.now(); Object.defineProperty(performance, 'now', { value: () => at });`,
);

/** The run gets no cgroup of its own, as for other users than root. */
export const WITHOUT_CGROUP = sabotage(`
  import fs from 'node:fs';
  const { accessSync } = fs;
  fs.accessSync = (file, ...rest) => {
    if (String(file).endsWith('cgroup.procs')) throw new Error('not to be had');
    return accessSync(file, ...rest);
  };
`);

/** Of runs without a successor. Other files' runs are excluded. */
function journalsIn(directory: string | null): string[] {
  if (directory === null || !fs.existsSync(directory)) return [];
  const records = fs
    .readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('run.json'));
  return records.flatMap((name) => {
    const facts = readFacts(fs.readFileSync(path.join(directory, name), 'utf8'));
    return facts.kind === 'read' ? (facts.value.supervision.journal ?? []) : [];
  });
}

/** For setup.ts, after each test. */
export async function endWhatIsLeft(): Promise<void> {
  // A command outlives its wrapper, and so do a guardian and a flusher: each has our mark in its environment. All at once,
  // or a guardian would see its wrapper go, and start another.
  if (ofThisFile !== null) await endAll(ofThisFile, 'environ');
  for (const leash of leashes.splice(0)) leash.process.kill('SIGKILL');
  for (const mark of markers.splice(0)) await endAll(mark);
  for (const journal of journalsIn(ofThisFile)) removeJournal(journal);
  for (const plane of planes.splice(0)) {
    await plane.stop();
    expect(plane.violations).toEqual([]);
  }
}

/** A real run of a harmless command, and its end: by a kill where a token for that is at hand, else by a signal. */
import { type ChildProcess, spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { parseJson } from '../http/json.ts';
import { problemIn } from '../http/problem-response.ts';
import { isAnybodyAt } from '../processes/process-ref.ts';
import type { Way } from './probe-way.ts';

const CONNECT_LIMIT_MS = 20_000;
/** Its own patience (`?wait=`), and the way there and back. */
const KILL_WAIT_SECONDS = 20;
const KILL_LIMIT_MS = 30_000;
const EXIT_LIMIT_MS = 30_000;
const LOOK_EVERY_MS = 20;
/** Should doctor itself be killed, the command doesn't stay for long. */
const COMMAND_SECONDS = 120;

export interface TrialOptions {
  /** The program and first arguments. */
  readonly program: readonly [string, ...string[]];
  /** Flags of `leash run`: those that doctor was called with. */
  readonly flags: readonly string[];
  readonly job: string;
  readonly instance: string;
  readonly way: Way;
  readonly killer: Killer | null;
}

/** Who may kill. */
export interface Killer {
  readonly token: string;
  /** Which it is, for a person. */
  readonly name: string;
}

/** The operator who has signed in on this machine, if any. */
export type Operator =
  | { readonly kind: 'none' }
  | { readonly kind: 'unusable'; readonly why: string }
  | { readonly kind: 'signed_in'; readonly killer: Killer };

export type Trial =
  /** It exited before it had connected, or did not connect. */
  | { readonly kind: 'not_connected'; readonly exitCode: number | null; readonly said: string }
  | { readonly kind: 'ended'; readonly connectedMs: number; readonly kill: KillOutcome; readonly end: EndOutcome };

export type KillOutcome =
  | { readonly kind: 'no_token' }
  | { readonly kind: 'refused'; readonly by: string; readonly why: string }
  /** It was accepted, and the command did not end. */
  | { readonly kind: 'no_effect'; readonly by: string }
  | { readonly kind: 'done'; readonly by: string; readonly ms: number };

export type EndOutcome =
  | {
      readonly kind: 'exited';
      readonly exitCode: number | null;
      readonly isStored: boolean;
      readonly isCommandGone: boolean;
    }
  /** The wrapper had to be ended by SIGKILL. */
  | { readonly kind: 'hung' };

/** Never rejects, and leaves nothing running. */
export async function tryRun(options: TrialOptions): Promise<Trial> {
  const run = new TestRun(options);
  try {
    const begunAt = performance.now();
    const isConnected = await run.until(() => run.said('connected'), CONNECT_LIMIT_MS);
    const connectedMs = performance.now() - begunAt;
    if (!isConnected) return { kind: 'not_connected', exitCode: run.exitCode, said: run.lastLine() };
    const kill = options.killer === null ? ({ kind: 'no_token' } as const) : await killIt(run, options, options.killer);
    if (kill.kind !== 'done') run.end();
    return { kind: 'ended', connectedMs, kill, end: await endOf(run) };
  } finally {
    await run.abandon();
  }
}

async function endOf(run: TestRun): Promise<EndOutcome> {
  if (!(await run.until(() => run.hasExited, EXIT_LIMIT_MS))) return { kind: 'hung' };
  return {
    kind: 'exited',
    exitCode: run.exitCode,
    isStored: !run.said('the control plane does not have'),
    isCommandGone: run.commandPid === null || !isAnybodyAt(run.commandPid),
  };
}

const KillBody = v.object({ kill: v.object({ id: v.string(), state: v.string() }) });

async function killIt(
  run: TestRun,
  { way, job, instance }: TrialOptions,
  { token, name }: Killer,
): Promise<KillOutcome> {
  const requestedAt = performance.now();
  const answering = way.request(
    `/api/v1/jobs/${encodeURIComponent(job)}/kill?wait=${KILL_WAIT_SECONDS}`,
    { method: 'POST', token, body: { instance, grace_seconds: 2, reason: 'test run of leash doctor' } },
    KILL_LIMIT_MS,
  );
  const ended = run.until(() => run.hasExited, KILL_LIMIT_MS).then(() => performance.now() - requestedAt);
  const answer = await answering;
  if (answer.kind === 'failed') return { kind: 'refused', by: name, why: answer.failure.why };
  if (parseJson(KillBody, answer.text) === null) {
    return { kind: 'refused', by: name, why: problemIn(answer.text)?.detail ?? `status ${answer.status}` };
  }
  const ms = await ended;
  return run.hasExited ? { kind: 'done', by: name, ms } : { kind: 'no_effect', by: name };
}

/** The wrapper and what it says. */
class TestRun {
  readonly #process: ChildProcess;
  #stdout = '';
  #stderr = '';
  #failure: string | null = null;

  constructor({ program: [program, ...first], flags, job, instance }: TrialOptions) {
    const command = ['sh', '-c', `echo "$$ is a test run of leash doctor"; exec sleep ${COMMAND_SECONDS}`];
    const names = ['--job', job, '--instance', instance, '--grace', '2s', '--verbose'];
    this.#process = spawn(program, [...first, 'run', ...names, ...flags, '--', ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process.on('error', (error) => {
      this.#failure = error.message;
    });
    this.#process.stdout?.on('data', (bytes: Buffer) => {
      this.#stdout += bytes.toString();
    });
    this.#process.stderr?.on('data', (bytes: Buffer) => {
      this.#stderr += bytes.toString();
    });
  }

  get hasExited(): boolean {
    return this.#failure !== null || this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  get exitCode(): number | null {
    return this.#process.exitCode;
  }

  /** The command says it first. */
  get commandPid(): number | null {
    const pid = /^(\d+) is a test run/.exec(this.#stdout)?.[1];
    return pid === undefined ? null : Number(pid);
  }

  /** Whether the wrapper has printed a line that begins like this. */
  said(beginning: string): boolean {
    return this.#stderr.includes(`leash: ${beginning}`);
  }

  lastLine(): string {
    const lines = this.#stderr.trim().split('\n');
    return this.#failure ?? (lines.at(-1) ?? '').replace(/^leash: /, '');
  }

  /** @returns false when the time is up, or the wrapper has exited without it */
  async until(isThere: () => boolean, limitMs: number): Promise<boolean> {
    for (const since = performance.now(); performance.now() - since < limitMs; await sleep(LOOK_EVERY_MS)) {
      if (isThere()) return true;
      if (this.hasExited) return isThere();
    }
    return isThere();
  }

  /** By a signal to the wrapper, as a person on this machine would. */
  end(): void {
    this.#process.kill('SIGTERM');
  }

  /** For whatever way this ends. */
  async abandon(): Promise<void> {
    if (this.hasExited) return;
    this.end();
    if (await this.until(() => this.hasExited, EXIT_LIMIT_MS)) return;
    this.#process.kill('SIGKILL');
    if (this.commandPid !== null && isAnybodyAt(this.commandPid)) process.kill(this.commandPid, 'SIGKILL');
  }
}

/** A run under a real wrapper, with what was done to it and what its command has written down. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '#testing/wait-for';
import { isAlive, processesWith, processTree, signalGroup } from '../../scripts/local/process-group.ts';
import type { WrapperProcess } from '../../scripts/local/wrapper-process.ts';
import { FENCE_VARIABLE } from '../../wrapper/src/launch/command-environment.ts';
import type { TestEnvironment } from '../support/test-environment.ts';
import type { Machine } from './machine.ts';
import type { Asking, RunPlan } from './schedule.ts';
import { commandScript, type Notes, readNotes } from './workload.ts';

export interface RunNames {
  readonly job: string;
  readonly instance: string;
  /** No other run has it. */
  readonly tag: string;
  /** Where its files go that are not its machine's. */
  readonly directory: string;
}

export class ChaosRun {
  readonly plan: RunPlan;
  readonly machine: Machine;
  readonly job: string;
  readonly instance: string;
  readonly tag: string;
  /** Resolves once its wrapper is started. */
  readonly started: Promise<void>;
  /** When its wrapper was started; before that 0. */
  startedAt = 0;
  wrapperWasKilled = false;
  /** Sent to the command by somebody else. */
  strayTo: NodeJS.Signals | null = null;
  readonly #notes: string;
  readonly #log: string;
  #wrapper: WrapperProcess | null = null;
  #resolveStarted: () => void = () => {};
  #id: string | null = null;

  constructor(plan: RunPlan, machine: Machine, { job, instance, tag, directory }: RunNames) {
    this.plan = plan;
    this.machine = machine;
    this.job = job;
    this.instance = instance;
    this.tag = tag;
    this.#notes = join(directory, `${instance}.notes`);
    this.#log = join(directory, `${instance}.log`);
    this.started = new Promise((resolve) => {
      this.#resolveStarted = resolve;
    });
  }

  get name(): string {
    return `run ${this.plan.index}`;
  }

  start(environment: TestEnvironment): void {
    this.startedAt = Date.now();
    this.#wrapper = environment.wrapper({
      job: this.job,
      machine: this.machine.name,
      instance: this.instance,
      url: this.machine.link.url,
      flags: ['--grace', `${this.plan.graceMs}ms`, '--log', this.#log, '--tag', this.tag, ...flagsOf(this.plan)],
      command: ['sh', '-c', commandScript(this.plan.workload), 'job', this.#notes],
      env: this.machine.environment,
    });
    this.#resolveStarted();
  }

  get wrapper(): WrapperProcess {
    if (this.#wrapper === null) throw new Error(`${this.name} has not been started`);
    return this.#wrapper;
  }

  get notes(): Notes {
    return readNotes(read(this.#notes));
  }

  /** As the command knows it from its environment; null as long as it has not said so. */
  get id(): string | null {
    this.#id ??= /LEASH_RUN_([0-9A-Z]{26})/.exec(this.#commandEnvironment)?.[1] ?? null;
    return this.#id;
  }

  /** The number of its admission as its command has it; null: it was not started, or without an answer. */
  get fence(): number | null {
    const [, fence] = new RegExp(`${FENCE_VARIABLE}=\\D?(\\d+)`).exec(this.#commandEnvironment) ?? [];
    return fence === undefined ? null : Number(fence);
  }

  get #commandEnvironment(): string {
    return read(`${this.#notes}.env`);
  }

  /** Whether its wrapper has said on its machine that its end is lost: there was room for it neither on disk nor in memory. */
  get couldNotBeKept(): boolean {
    return /could not be kept(?! on disk)/.test(read(this.#log));
  }

  /** Whether its wrapper was killed before it had started anything. */
  get diedAsking(): boolean {
    return this.wrapperWasKilled && this.plan.asking !== null && this.notes.pid === null;
  }

  /** As somebody on the machine would. */
  endByHand(): void {
    for (const pid of this.processes()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        // It has just ended.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }

  /** Everything alive that the command has started, and itself. */
  processes(): number[] {
    return this.id === null ? [] : processesWith(`LEASH_RUN_${this.id}=1`);
  }

  /**
   * SIGKILL to the wrapper, once there is who can take its place, or as it asks, when there is nothing yet to take over.
   *
   * @returns whether it was there to be killed
   */
  async killWrapper(): Promise<boolean> {
    await this.started;
    const { wrapper } = this;
    await waitFor(`the guardian of ${this.name}`, () => !wrapper.isRunning || this.#killIfCovered());
    return this.wrapperWasKilled;
  }

  async #killIfCovered(): Promise<boolean> {
    const { wrapper } = this;
    const asks = this.plan.asking !== null && this.notes.pid === null;
    if (!asks && !hasGuardian(wrapper.pid)) return false;
    if (asks) {
      // Stopped, it starts nothing between the look and the kill.
      wrapper.signal('SIGSTOP');
      await waitFor(`the wrapper of ${this.name} to stop`, () => !wrapper.isRunning || isStopped(wrapper.pid));
      if (hasStartedCommand(wrapper.pid) && !hasGuardian(wrapper.pid)) {
        wrapper.signal('SIGCONT');
        return false;
      }
    }
    this.wrapperWasKilled = wrapper.isRunning;
    wrapper.signal('SIGKILL');
    return true;
  }

  /** @returns whether it was there */
  async signalWrapper(signal: 'SIGSTOP' | 'SIGCONT'): Promise<boolean> {
    await this.started;
    if (!this.wrapper.isRunning) return false;
    this.wrapper.signal(signal);
    return true;
  }

  /** Somebody else's signal to the command. @returns whether it was there to get it */
  async signalCommand(signal: NodeJS.Signals): Promise<boolean> {
    await this.started;
    // One that asks may wait for the end of the round.
    const mayComeLater = () => this.plan.asking === null && this.wrapper.isRunning;
    const pid = await waitFor(`${this.name} to say its pid`, () => this.notes.pid ?? (!mayComeLater() && -1));
    if (pid === -1 || !isAlive(pid)) return false;
    this.strayTo = signal;
    signalGroup(pid, signal);
    return true;
  }
}

function flagsOf({ asking, endsLeftovers }: RunPlan): string[] {
  return [...askingFlags(asking), '--leftovers', endsLeftovers ? 'kill' : 'tell'];
}

function askingFlags(asking: Asking | null): string[] {
  if (asking === null) return [];
  const { overlap, scope, ifUnreachable, waitTimeoutMs } = asking;
  const wait = waitTimeoutMs === null ? [] : ['--wait-timeout', `${waitTimeoutMs}ms`];
  return ['--ask', '--overlap', overlap, '--overlap-scope', scope, '--if-unreachable', ifUnreachable, ...wait];
}

function hasStartedCommand(wrapper: number): boolean {
  return processTree(wrapper).length > 1;
}

function isStopped(pid: number): boolean {
  return /\) T /.test(read(`/proc/${pid}/stat`));
}

function hasGuardian(wrapper: number): boolean {
  return processTree(wrapper).some((pid) => read(`/proc/${pid}/cmdline`).includes('leash-guardian'));
}

/** Empty for what is not there (yet). */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

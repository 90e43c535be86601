/** A run under a real wrapper, with what was done to it and what its command has written down. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '#testing/wait-for';
import { isAlive, processesWith, processTree, signalGroup } from '../../scripts/local/process-group.ts';
import type { WrapperProcess } from '../../scripts/local/wrapper-process.ts';
import type { TestEnvironment } from '../support/test-environment.ts';
import type { Machine } from './machine.ts';
import type { RunPlan } from './schedule.ts';
import { commandScript, type Notes, readNotes } from './workload.ts';

export interface RunNames {
  readonly job: string;
  readonly instance: string;
  /** Where its files go that are not its machine's. */
  readonly directory: string;
}

export class ChaosRun {
  readonly plan: RunPlan;
  readonly machine: Machine;
  readonly job: string;
  readonly instance: string;
  /** Resolves once its wrapper is started. */
  readonly started: Promise<void>;
  wrapperWasKilled = false;
  /** Sent to the command by somebody else. */
  strayTo: NodeJS.Signals | null = null;
  readonly #notes: string;
  readonly #log: string;
  #wrapper: WrapperProcess | null = null;
  #resolveStarted: () => void = () => {};
  #id: string | null = null;

  constructor(plan: RunPlan, machine: Machine, { job, instance, directory }: RunNames) {
    this.plan = plan;
    this.machine = machine;
    this.job = job;
    this.instance = instance;
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
    this.#wrapper = environment.wrapper({
      job: this.job,
      machine: this.machine.name,
      instance: this.instance,
      url: this.machine.link.url,
      flags: ['--grace', `${this.plan.graceMs}ms`, '--log', this.#log],
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
    this.#id ??= /LEASH_RUN_([0-9A-Z]{26})/.exec(read(`${this.#notes}.env`))?.[1] ?? null;
    return this.#id;
  }

  /** Whether its wrapper has said on its machine that its end is lost: there was room for it neither on disk nor in memory. */
  get couldNotBeKept(): boolean {
    return /could not be kept(?! on disk)/.test(read(this.#log));
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

  /** SIGKILL to the wrapper, once there is who can take its place. @returns whether it was there to be killed */
  async killWrapper(): Promise<boolean> {
    await this.started;
    const { wrapper } = this;
    await waitFor(`the guardian of ${this.name}`, () => !wrapper.isRunning || hasGuardian(wrapper.pid));
    if (!wrapper.isRunning) return false;
    this.wrapperWasKilled = true;
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
    const pid = await waitFor(`${this.name} to say its pid`, () => this.notes.pid ?? (!this.wrapper.isRunning && -1));
    if (pid === -1 || !isAlive(pid)) return false;
    this.strayTo = signal;
    signalGroup(pid, signal);
    return true;
  }
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

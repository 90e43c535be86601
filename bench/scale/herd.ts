/** A crowd of played wrappers, and what became of them: when each had its `ack start`, and what failed. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ulid } from 'ulid';
import type { Cleanup } from '../measure/cleanup.ts';
import type { CrowdRequest, Wrapper, WrapperReport } from './crowd-messages.ts';

const CROWD = fileURLToPath(new URL('./crowd.ts', import.meta.url));
/** One could not open thousands of connections as fast as a fleet does. */
const PROCESSES = 2;

export class Herd {
  /** When a run had its `ack start`, since {@link connect} or {@link reconnect}. */
  readonly started = new Map<string, number>();
  readonly killed = new Map<string, number>();
  readonly settled = new Map<string, number>();
  /** What failed, and how often. */
  readonly failures = new Map<string, number>();
  /** How often one was asked to wait. */
  waits = 0;
  readonly #wrappers = new Map<string, Wrapper>();
  readonly #processes: readonly ChildProcess[];

  constructor(cleanup: Cleanup, count: number, jobs: number) {
    for (let index = 0; index < count; index += 1) {
      const run = ulid();
      this.#wrappers.set(run, { job: `job-${index % jobs}`, run, machine: `m${index}.example.com` });
    }
    this.#processes = Array.from({ length: PROCESSES }, () => fork(CROWD));
    for (const process of this.#processes) process.on('message', (report: WrapperReport) => this.#receive(report));
    cleanup.add(() => this.end());
  }

  /** Those that no kill has ended. */
  get alive(): Wrapper[] {
    return [...this.#wrappers.values()].filter(({ run }) => !this.settled.has(run));
  }

  /** @returns when */
  connect(url: string, tokens: readonly string[]): number {
    const wrappers = [...this.#wrappers.values()];
    return this.#begin((process, part) => {
      const own = wrappers.filter((_, index) => index % this.#processes.length === part);
      send(process, { type: 'connect', url, tokens, wrappers: own });
    });
  }

  /** Breaks all links at once; each wrapper dials again after its own short pause. @returns when */
  reconnect(): number {
    return this.#begin((process) => send(process, { type: 'reconnect' }));
  }

  end(): void {
    for (const process of this.#processes) process.kill('SIGKILL');
  }

  #begin(ask: (process: ChildProcess, part: number) => void): number {
    this.started.clear();
    this.failures.clear();
    this.waits = 0;
    const beganAt = Date.now();
    this.#processes.forEach(ask);
    return beganAt;
  }

  #receive(report: WrapperReport): void {
    switch (report.type) {
      case 'started':
        if (!this.started.has(report.run)) this.started.set(report.run, report.at);
        return;
      case 'kill':
        if (!this.killed.has(report.run)) this.killed.set(report.run, report.at);
        return;
      case 'settled':
        this.settled.set(report.run, report.at);
        return;
      case 'busy':
        this.waits += 1;
        return;
      case 'failed':
        this.failures.set(report.reason, (this.failures.get(report.reason) ?? 0) + 1);
        return;
    }
  }
}

function send(process: ChildProcess, request: CrowdRequest): void {
  process.send(request);
}

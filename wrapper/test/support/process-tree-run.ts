/** A command with its process tree, as a wrapper starts it, without a wrapper. */

import { type ChildProcess, spawn } from 'node:child_process';
import { expect, onTestFinished } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { killTree } from '../../src/kill/kill-tree.ts';
import { createCgroup } from '../../src/processes/cgroup.ts';
import { isRunning, type ProcessRef, refOf } from '../../src/processes/process-ref.ts';
import { openProcessTree, type ProcessTree, type ProcessTreeOrigin } from '../../src/processes/process-tree.ts';
import { silent } from './silent-log.ts';

const probe = createCgroup(`probe-${process.pid}`);
probe?.remove();
export const hasCgroup = probe !== null;

/** What scripts run as `sh -c "$WAIT"`: it says who it is and then waits. `STUBBORN` ignores SIGTERM, too. */
export const WAIT = 'echo $$; exec sleep 100';
const SCRIPTS = { WAIT, STUBBORN: `trap "" TERM; ${WAIT}` };

let runs = 0;

/** A command as a wrapper starts it. Its processes print their pids on stdout, one a line. */
export class Run {
  readonly origin: ProcessTreeOrigin;
  readonly tree: ProcessTree;
  readonly #child: ChildProcess;
  readonly #refs = new Map<number, ProcessRef | null>();
  #said = '';
  #isClosed = false;

  constructor(command: readonly string[], cgroup = false) {
    runs += 1;
    const id = `test-${process.pid}-${runs}-${Math.random().toString(36).slice(2)}`;
    const cookie = `LEASH_RUN_${id.replaceAll('-', '_')}`;
    const own = cgroup ? createCgroup(id) : null;
    const join = own === null ? '' : `echo 0 > ${own.joinFile}; `;
    this.#child = spawn('sh', ['-c', `${join}exec "$@"`, 'sh', ...command], {
      detached: true,
      env: { ...process.env, ...SCRIPTS, [cookie]: '1' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const leader = refOf(this.#child.pid ?? 0);
    if (leader === null) throw new Error('it was not started');
    this.origin = { leader, cookie, pipes: [], cgroup: own?.path ?? null };
    this.tree = openProcessTree(this.origin);
    this.#child.stdout?.on('data', (bytes: Buffer) => this.#receive(bytes.toString()));
    this.#child.stdout?.on('close', () => {
      this.#isClosed = true;
    });
    onTestFinished(async () => {
      own?.kill();
      this.tree.signal('SIGKILL');
      for (const pid of this.pids) if (this.isAlive(pid)) process.kill(pid, 'SIGKILL');
      if (this.isAlive(leader.pid)) process.kill(-leader.pid, 'SIGKILL');
      await waitFor('its cgroup to be removed', () => own?.remove() ?? true);
    });
  }

  #receive(text: string): void {
    this.#said += text;
    for (const pid of this.pids) if (!this.#refs.has(pid)) this.#refs.set(pid, refOf(pid));
  }

  get said(): string {
    return this.#said;
  }

  /** What its processes have called themselves, in that order. */
  get pids(): number[] {
    return [...this.#said.matchAll(/^(\d+)\n/gm)].map(([, pid]) => Number(pid));
  }

  async announced(count: number): Promise<number[]> {
    await waitFor(`${count} pids`, () => this.pids.length >= count);
    return this.pids;
  }

  isAlive(pid: number): boolean {
    const ref = pid === this.origin.leader.pid ? this.origin.leader : this.#refs.get(pid);
    return ref !== null && ref !== undefined && isRunning(ref);
  }

  /** Resolves when no process has its stdout open any more. */
  async closed(): Promise<void> {
    await waitFor('the end of its output', () => this.#isClosed);
  }
}

export function shell(script: string, { cgroup = false } = {}): Run {
  return new Run(['sh', '-c', script], cgroup);
}

/** Ends it, and checks that no process is left. */
export async function end(run: Run, graceMs = 10_000): Promise<void> {
  expect(await killTree(run.tree, { signal: 'SIGTERM', graceMs }, silent)).toEqual([]);
  expect(run.pids.filter((pid) => run.isAlive(pid))).toEqual([]);
  await run.closed();
}

/** Plays one thundering herd against a control plane, and prints what it measured. */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '#testing/wait-for';
import { ApiClient } from '../../scripts/local/api-client.ts';
import type { ControlPlaneChild } from '../../scripts/local/control-plane-child.ts';
import type { ConnectRequest, Wrapper, WrapperReport } from './crowd-messages.ts';
import { type D1Counts, printD1 } from './d1-counts.ts';

/** Machines share tokens, but not all of them one. */
const TOKENS = 20;
/** Each may make 120 kills a minute. */
const OPERATORS = 20;
/** However quickly all connect, kills are posted for at least this long. */
const LEAST_KILLING_MS = 3_000;
/** No part may take longer. */
const LIMIT_MS = 120_000;

interface Kill {
  readonly postedAt: number;
  answeredAt: number | null;
  receivedAt: number | null;
  settledAt: number | null;
}

export class ThunderingHerd {
  readonly #plane: ControlPlaneChild;
  readonly #crowd: readonly ChildProcess[];
  readonly #wrappers: readonly Wrapper[];
  readonly #started = new Map<string, number>();
  readonly #kills = new Map<string, Kill>();
  /** Runs that have started and nobody has killed yet. */
  readonly #killable: Wrapper[] = [];
  readonly #failures = new Map<string, number>();

  readonly #killEveryMs: number;

  constructor(plane: ControlPlaneChild, crowd: readonly ChildProcess[], all: readonly Wrapper[], killEveryMs: number) {
    this.#killEveryMs = killEveryMs;
    this.#plane = plane;
    this.#crowd = crowd;
    this.#wrappers = all;
    const byRun = new Map(all.map((wrapper) => [wrapper.run, wrapper]));
    for (const process of crowd) process.on('message', (report: WrapperReport) => this.#receive(report, byRun));
  }

  async play(adminToken: string): Promise<void> {
    const admin = new ApiClient(this.#plane.url, adminToken);
    const tokens = await Promise.all(
      Array.from({ length: TOKENS }, (_, index) => admin.createToken({ name: `machines-${index}`, scopes: ['run'] })),
    );
    const operators = await Promise.all(
      Array.from({ length: OPERATORS }, async (_, index) => {
        const { secret } = await admin.createToken({ name: `operator-${index}`, scopes: ['kill'] });
        return new ApiClient(this.#plane.url, secret);
      }),
    );
    const before = await this.#d1();
    const beganAt = Date.now();
    this.#crowd.forEach((process, part) => {
      const wrappers = this.#wrappers.filter((_, index) => index % this.#crowd.length === part);
      const request: ConnectRequest = { url: this.#plane.url, tokens: tokens.map(({ secret }) => secret), wrappers };
      process.send(request);
    });
    await this.#killUntilAllStarted(operators, beganAt);
    const all = [...this.#started.values()];
    const count = all.length === this.#wrappers.length ? 'all' : `only ${all.length}`;
    console.log(
      `  ${count} had started after ${seconds(Math.max(...all) - beganAt)}, half of these after ${seconds(median(all) - beganAt)}`,
    );
    for (const [reason, count] of this.#failures) console.log(`  failed ${count} times: ${reason}`);
    await this.#settled();
    const indexedAt = await this.#indexed();
    console.log(`  D1 knew every run after ${seconds(indexedAt - beganAt)}`);
    this.#printKills();
    printD1(before, await this.#d1());
    if (new Set(this.#wrappers.map(({ job }) => job)).size === 1) await this.#killTheRest(admin);
  }

  /** One kill for all that still runs. */
  async #killTheRest(admin: ApiClient): Promise<void> {
    const before = await this.#d1();
    const beganAt = Date.now();
    const count = this.#killable.length;
    for (const { run } of this.#killable.splice(0)) {
      this.#kills.set(run, { postedAt: beganAt, answeredAt: null, receivedAt: null, settledAt: null });
    }
    await admin.kill(this.#wrappers[0]?.job ?? '');
    await this.#settled();
    const settledAt = Date.now();
    await this.#indexed();
    console.log(`  one kill for the ${count} that were left`);
    console.log(
      `    settled after ${seconds(settledAt - beganAt)}, known to D1 after ${seconds(Date.now() - beganAt)}`,
    );
    printD1(before, await this.#d1());
  }

  async #settled(): Promise<void> {
    await waitFor('every kill to settle', () => [...this.#kills.values()].every((kill) => kill.settledAt !== null));
  }

  #receive(report: WrapperReport, byRun: ReadonlyMap<string, Wrapper>): void {
    const kill = this.#kills.get(report.run);
    switch (report.type) {
      case 'started': {
        const wrapper = byRun.get(report.run);
        if (wrapper === undefined || this.#started.has(report.run)) return;
        this.#started.set(report.run, report.at);
        this.#killable.push(wrapper);
        return;
      }
      case 'kill':
        if (kill !== undefined) kill.receivedAt ??= report.at;
        return;
      case 'settled':
        if (kill !== undefined) kill.settledAt ??= report.at;
        return;
      case 'failed':
        this.#fail(`a connection: ${report.reason}`);
        return;
    }
  }

  #fail(what: string): void {
    this.#failures.set(what, (this.#failures.get(what) ?? 0) + 1);
  }

  async #killUntilAllStarted(operators: readonly ApiClient[], beganAt: number): Promise<void> {
    const posted: Promise<void>[] = [];
    while (this.#started.size < this.#wrappers.length || Date.now() - beganAt < LEAST_KILLING_MS) {
      if (Date.now() - beganAt > LIMIT_MS) return;
      const [victim] = this.#killable.splice(Math.floor(Math.random() * this.#killable.length), 1);
      const operator = operators[posted.length % operators.length];
      if (victim !== undefined && operator !== undefined) posted.push(this.#kill(operator, victim));
      await sleep(this.#killEveryMs);
    }
    await Promise.all(posted);
  }

  async #kill(operator: ApiClient, { job, run }: Wrapper): Promise<void> {
    const kill: Kill = { postedAt: Date.now(), answeredAt: null, receivedAt: null, settledAt: null };
    this.#kills.set(run, kill);
    try {
      await operator.kill(job, { run });
      kill.answeredAt = Date.now();
    } catch (error) {
      this.#fail(`a kill: ${String(error)}`);
      this.#kills.delete(run);
    }
  }

  /** When D1 knew every run. */
  async #indexed(): Promise<number> {
    await waitFor('D1 to know every run', async () => {
      const [row] = await this.#plane.query('SELECT count(*) AS runs FROM runs');
      return row?.runs === this.#wrappers.length;
    });
    const indexedAt = Date.now();
    const ended = [...this.#kills].length;
    await waitFor('D1 to know every end', async () => {
      const [row] = await this.#plane.query("SELECT count(*) AS runs FROM runs WHERE state = 'killed'");
      return row?.runs === ended;
    });
    return indexedAt;
  }

  #printKills(): void {
    const kills = [...this.#kills.values()];
    console.log(`  ${kills.length} kills, from the POST to      p50      p95      max`);
    const row = (name: string, at: (kill: Kill) => number | null) => {
      const sorted = kills.map((kill) => (at(kill) ?? Number.NaN) - kill.postedAt).sort((a, b) => a - b);
      const quantile = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
      const cells = [quantile(0.5), quantile(0.95), quantile(1)].map((ms) => `${ms} ms`.padStart(9)).join('');
      console.log(`    ${name.padEnd(24)}${cells}`);
    };
    row('202', ({ answeredAt }) => answeredAt);
    row('the wrapper has it', ({ receivedAt }) => receivedAt);
    row('settled', ({ settledAt }) => settledAt);
  }

  async #d1(): Promise<D1Counts> {
    const response = await fetch(`${this.#plane.url}/api/bench/d1`);
    return (await response.json()) as D1Counts;
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

/** The brakes and the maintenance of a round, which an operator sets through the API. */
import * as v from 'valibot';
import type { Run } from '#protocol/api';
import { BrakeCreated } from '#protocol/brakes';
import { isLive } from '#protocol/run-state';
import { waitFor } from '#testing/wait-for';
import type { ApiClient } from '../../scripts/local/api-client.ts';
import type { RoundLog } from './round-log.ts';
import type { Action } from './schedule.ts';

type BrakeAction = Extract<Action, { kind: 'brake' }>;

/** A brake (`kills`), or maintenance. */
interface Order {
  readonly jobs: readonly string[];
  readonly machines: readonly string[];
  readonly kills: boolean;
  /** By the clock of the control plane, as all times. */
  readonly calledAt: number;
  /** Answered by then; infinite: not yet. */
  standsSince: number;
  /** About to be ended. */
  endsAt: number;
}

const LASTS_MS = 3_600_000;

export class Brakes {
  readonly #api: ApiClient;
  readonly #log: RoundLog;
  readonly #jobs: readonly string[];
  readonly #machines: readonly string[];
  readonly #orders: Order[] = [];
  readonly #ids: string[] = [];

  constructor(
    api: ApiClient,
    log: RoundLog,
    round: { readonly jobs: readonly string[]; readonly machines: readonly string[] },
  ) {
    this.#api = api;
    this.#log = log;
    this.#jobs = round.jobs;
    this.#machines = round.machines;
  }

  /** An operator who gets no answer calls again, with the same key: once the round is over it stands. */
  async set({ scope, kills }: BrakeAction): Promise<void> {
    const order = {
      jobs: scope.job === null ? this.#jobs : this.#jobs.slice(scope.job, scope.job + 1),
      machines: scope.machine === null ? this.#machines : this.#machines.slice(scope.machine, scope.machine + 1),
      kills,
      calledAt: Date.now(),
      standsSince: Number.POSITIVE_INFINITY,
      endsAt: Number.POSITIVE_INFINITY,
    };
    this.#orders.push(order);
    const key = `chaos-brake-${this.#jobs[0]}-${this.#orders.length}`;
    const body = {
      jobs: order.jobs,
      machines: order.machines,
      kill: kills,
      until: new Date(Date.now() + LASTS_MS).toISOString(),
    };
    this.#log.write(`${kills ? 'brake' : 'maintenance'} on ${order.jobs} on ${order.machines}`);
    const brake = await waitFor('an answer to a brake', () => this.#call(body, key));
    order.standsSince = Date.now();
    this.#log.write(`${brake.id} stands`);
    this.#ids.push(brake.id);
  }

  /** Whether some order is for a run. */
  concern({ job, machine }: Pick<Run, 'job' | 'machine'>): boolean {
    return this.#of({ job, machine }).length > 0;
  }

  /** Whether a run may have been told not to start for this reason. */
  explain(run: Pick<Run, 'job' | 'machine' | 'reason'>): boolean {
    return this.#of(run).some(({ kills }) => run.reason === (kills ? 'brake' : 'maintenance'));
  }

  /** Whether a run may be as it is, now that all trouble is over. */
  allow({ job, machine, state }: Run): boolean {
    return this.#of({ job, machine }).every(({ kills }) => (kills ? !isLive(state) : state !== 'waiting'));
  }

  /** The orders that stood for a run at this time. */
  standingAt(time: number, run: Pick<Run, 'job' | 'machine'>): readonly Order[] {
    return this.#of(run).filter(({ standsSince, endsAt }) => standsSince < time && time < endsAt);
  }

  async end(): Promise<void> {
    for (const order of this.#orders) order.endsAt = Date.now();
    for (const id of this.#ids.splice(0)) {
      const { status } = await this.#api.request('DELETE', `/brakes/${id}`);
      if (status !== 204) this.#log.fail(`the end of the brake ${id} was answered by ${status}`);
    }
  }

  #of({ job, machine }: Pick<Run, 'job' | 'machine'>): readonly Order[] {
    return this.#orders.filter(({ jobs, machines }) => jobs.includes(job) && machines.includes(machine));
  }

  /** @returns null: the control plane is away */
  async #call(body: unknown, key: string): Promise<v.InferOutput<typeof BrakeCreated>['brake'] | null> {
    try {
      const response = await this.#api.request('POST', '/brakes', body, { 'Idempotency-Key': key });
      return response.ok ? v.parse(BrakeCreated, await response.json()).brake : null;
    } catch (error) {
      this.#log.write(`no answer to a brake: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  }
}

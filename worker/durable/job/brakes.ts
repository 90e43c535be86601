/** What a brake does here: kills the runs that it matches, and says which runs may not start. */
import { brakeReason, type StandingOrder } from '#protocol/brakes';
import { matchesGlob } from '#protocol/glob';
import { log } from '../../shared/log.ts';
import { newKill } from '../../shared/new-kill.ts';
import type { EnforcedBrake } from '../../shared/rpc/job-object.ts';
import type { JobContext } from './job-context.ts';
import type { RunRecord } from './run-store.ts';

export class Brakes {
  readonly #job: JobContext;

  constructor(job: JobContext) {
    this.#job = job;
  }

  /** A running run's wrapper has connected, with the orders that matched then. */
  runConnected(run: RunRecord, orders: readonly StandingOrder[]): void {
    const order = activeOrder(orders, Date.now());
    if (order?.kill && run.state === 'running') this.#kill(run, order);
  }

  /**
   * Kills the connected runs that match, or, during maintenance, has those that wait not start. The others bring the order
   * with them when they connect.
   */
  enforce(brakes: readonly EnforcedBrake[]): void {
    const now = Date.now();
    for (const { order, machines } of brakes) {
      if (order.until_ms <= now) continue;
      const isMatching = ({ machine }: RunRecord) => machines.some((glob) => matchesGlob(glob, machine));
      if (order.kill) this.#killAll(this.#job.runs.open().filter(isMatching), order);
      else this.#job.admission.refuse(this.#job.runs.waiting().filter(isMatching), order);
    }
  }

  #killAll(runs: readonly RunRecord[], order: StandingOrder): void {
    for (const run of runs) {
      const isUnkilled = run.state === 'running' || run.state === 'waiting';
      if (isUnkilled && run.connected) this.#kill(run, order);
    }
  }

  /** Kills a run, once for each brake. Its kills are one batch, which has the brake's id. */
  #kill(run: RunRecord, order: StandingOrder): void {
    if (this.#job.kills.hasTargetInBatch(run.id, order.id)) return;
    const origin = { env: this.#job.env, requestId: order.id, address: null };
    const request = { run: run.id, reason: brakeReason(order.reason) };
    const { kill, audit } = newKill(origin, this.#job.name, request);
    const detail = { ...audit.detail, brake: order.id };
    const kills = { kills: [{ kill, audit: { ...audit, detail } }], batch: order.id, key: null };
    this.#job.killController.take(kills, { id: order.created_by_id, name: order.created_by });
    log.info('run_braked', { job: this.#job.name, run: run.id, brake: order.id, kill: kill.id });
  }
}

/** The order that counts for a run: a brake before maintenance. Null: none is active. */
export function activeOrder(orders: readonly StandingOrder[], now: number): StandingOrder | null {
  const active = orders.filter(({ until_ms: until }) => until > now);
  return active.find(({ kill }) => kill) ?? active[0] ?? null;
}

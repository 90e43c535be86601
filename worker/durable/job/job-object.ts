/**
 * The Durable Object of one job: the only writer of that job's runs and of the progress of its kills.
 *
 * Its SQLite holds the truth. The object may be evicted at any moment, so nothing that matters is only in memory; what
 * must happen later is a row behind its one alarm.
 */
import { DurableObject } from 'cloudflare:workers';
import type { Kill, Run, RunEvent } from '#protocol/api';
import type { Expectation, Expected } from '#protocol/expectations';
import { WATCH_SUBPROTOCOL } from '#protocol/watch-link';
import { WRAPPER_SUBPROTOCOL } from '#protocol/wrapper-link';
import { readCredential } from '../../shared/credential.ts';
import { withBoundD1 } from '../../shared/d1/bound-d1.ts';
import type { QueuedKill } from '../../shared/d1/kill-queue.ts';
import type { Env } from '../../shared/env.ts';
import { log } from '../../shared/log.ts';
import type {
  ConfirmedCaller,
  EnforcedBrake,
  ExpectationResult,
  JobObjectRpc,
  KillOffer,
  OfferResult,
  OutputExtent,
  OutputPage,
} from '../../shared/rpc/job-object.ts';
import { readOpening, SALTPETER_PATH } from '../../shared/rpc/saltpeter-opening.ts';
import { readOrders } from '../../shared/rpc/standing-orders.ts';
import { answerClose, upgrade } from '../sockets/upgrade.ts';
import { exceededViewerLimit, tooManyViewers } from '../sockets/viewer-limits.ts';
import { ANY_MACHINE } from './expectations/expectation-store.ts';
import { JobContext } from './job-context.ts';
import { runResource } from './run-store.ts';
import { migrate } from './schema.ts';

export class JobObject extends DurableObject<Env> implements JobObjectRpc {
  readonly #job: JobContext;

  constructor(state: DurableObjectState, env: Env) {
    super(state, withBoundD1(env));
    this.#job = new JobContext(state, this.env);
    this.#job.startTimeout.resume(this.#job.sockets.awaitingStart());
    if (this.#isUninitialized) return;
    migrate(state.storage);
    const { deadlines, liveness, viewers, killController, outbox, retention, expectations, slowRuns } = this.#job;
    const started = deadlines.start(() => {
      liveness.reconcile();
      viewers.watchSilence();
      killController.resume();
      outbox.resume();
      expectations.setDeadline();
      slowRuns.setDeadlines();
      retention.schedule();
    });
    void state.blockConcurrencyWhile(() => started);
  }

  get #isUninitialized(): boolean {
    return this.#job.storage.isUninitialized;
  }

  // --- what the Worker calls: see JobObjectRpc ---

  override fetch(request: Request): Response {
    const { pathname, searchParams } = new URL(request.url);
    // A wrapper that connects has yet to send `start`: with that, in one transaction, the first thing is stored.
    if (pathname !== '/connect' && pathname !== SALTPETER_PATH) this.#job.storage.initialize();
    const { run = '', instance = '', machine = '', kill = '' } = Object.fromEntries(searchParams);
    switch (pathname) {
      case '/connect':
        return upgrade(WRAPPER_SUBPROTOCOL, (socket) => {
          const [credential, orders] = [readCredential(searchParams), readOrders(searchParams)];
          this.#job.sockets.acceptWrapper(socket, { run, instance, machine, credential, orders });
          this.#job.startTimeout.watch(socket);
        });
      case SALTPETER_PATH:
        return upgrade(null, (socket) => {
          const [credential, orders] = [readCredential(searchParams), readOrders(searchParams)];
          this.#job.saltpeterMessages.accept(socket, readOpening(searchParams), { credential, orders });
          this.#job.startTimeout.watch(socket);
        });
      case '/watch': {
        const credential = readCredential(searchParams);
        const reason = exceededViewerLimit(this.ctx, credential.token);
        if (reason !== null) return tooManyViewers(reason);
        return upgrade(WATCH_SUBPROTOCOL, (socket) => this.#job.viewers.accept(socket, credential));
      }
      case '/wait':
        return upgrade(WATCH_SUBPROTOCOL, (socket) => this.#job.killController.wait(socket, kill));
      default:
        throw new Error(`a job object has no route for ${pathname}`);
    }
  }

  acceptKills(kills: readonly QueuedKill[], by: ConfirmedCaller | null = null): Kill[] {
    this.#job.storage.initialize();
    this.#job.killController.accept(kills);
    if (by !== null) this.#job.credentials.confirm(by);
    this.#job.viewers.closeBehind();
    return kills.map(({ key: _, ...kill }) => this.#job.killController.get(kill.id) ?? kill);
  }

  offerKills(offer: KillOffer): OfferResult {
    if (this.#isUninitialized) return { kind: 'passed', isKnown: false };
    const result = this.#job.killController.offer(offer);
    this.#job.viewers.closeBehind();
    return result;
  }

  enforceBrakes(brakes: readonly EnforcedBrake[]): void {
    if (!this.#isUninitialized) this.#job.brakes.enforce(brakes);
  }

  matchesAnyRun(kill: Kill): boolean {
    return !this.#isUninitialized && this.#job.killController.matchesAnyRun(kill);
  }

  kill(id: string): Kill | null {
    return this.#isUninitialized ? null : this.#job.killController.get(id);
  }

  run(id: string): Run | null {
    const run = this.#isUninitialized ? null : this.#job.runs.get(id);
    return run === null ? null : runResource(this.#job.name, run);
  }

  hasRun(run: string | null): boolean {
    if (this.#isUninitialized) return false;
    return run === null ? !this.#job.runs.isEmpty() : this.#job.runs.get(run) !== null;
  }

  recordRunIdConflict(run: string, otherJob: string): void {
    if (!this.#isUninitialized) this.#job.runIdConflicts.record(run, otherJob);
  }

  events(run: string, after: number, limit: number): RunEvent[] {
    return this.#isUninitialized ? [] : this.#job.events.list(run, after, limit);
  }

  async outputExtent(run: string): Promise<OutputExtent> {
    if (this.#isUninitialized) return { end: 0, gaps: [] };
    await this.#job.outputFlush.flush(run);
    return { end: this.#job.runs.get(run)?.outputEnd ?? 0, gaps: this.#job.output.gaps(run) };
  }

  async outputPage(run: string, from: number, to: number, maxBytes: number): Promise<OutputPage> {
    if (this.#isUninitialized) return { parts: [] };
    const parts = this.#job.output.read(run, from, to, maxBytes);
    return { parts: await this.#job.outputArchive.load(run, parts) };
  }

  expectations(): Expectation[] {
    return this.#isUninitialized ? [] : this.#job.expectations.list();
  }

  setExpectation(machine: string | null, expected: Expected): ExpectationResult {
    if (this.#isUninitialized) return { kind: 'unknown_job' };
    return this.#job.expectations.set(machine ?? ANY_MACHINE, expected);
  }

  removeExpectation(machine: string | null): boolean {
    return !this.#isUninitialized && this.#job.expectations.remove(machine ?? ANY_MACHINE);
  }

  async checkCredentials(token: string): Promise<void> {
    this.#job.storage.initialize();
    this.#job.credentials.suspend(token);
    await this.#job.credentials.check(token);
    await this.#job.storage.clearIfUnused();
  }

  async reconcile(): Promise<void> {
    this.#job.storage.initialize();
    await this.#job.queueDrain.run();
    this.#job.deadlineHandlers.runDue();
    await this.#job.outbox.send();
    await this.#job.storage.clearIfUnused();
  }

  // --- what the runtime calls ---

  override webSocketMessage(socket: WebSocket, frame: string | ArrayBuffer): void {
    this.#job.storage.initialize();
    this.#job.socketEvents.received(socket, frame);
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    this.#job.socketEvents.closed(socket);
    answerClose(socket, code);
  }

  override webSocketError(socket: WebSocket, error: unknown): void {
    log.warn('socket_failed', { job: this.#job.name, error: String(error) });
    this.#job.socketEvents.closed(socket);
  }

  override alarm(): void {
    if (this.#isUninitialized) return;
    this.#job.deadlines.alarmUnset();
    this.#job.deadlineHandlers.runDue();
  }
}

/**
 * Batches D1 queries: of all wrappers that connect, and of all job objects with changes to send.
 *
 * D1 has one thread. When cron fires on all machines at the full hour, or a deploy makes all of them reconnect, a kill
 * would queue behind thousands of small queries. This object makes few large ones of them, one at a time for each
 * purpose, so that a kill, which goes to D1 by itself, waits for one of each at most.
 *
 * It caches nothing.
 */
import { DurableObject } from 'cloudflare:workers';
import { withTimeout } from '#shared/with-timeout';
import { withBoundD1 } from '../../shared/d1/bound-d1.ts';
import { findActiveBrakes, readBrakes } from '../../shared/d1/brakes.ts';
import { countChanges } from '../../shared/d1/counters.ts';
import { purgeExpectations, upsertExpectations } from '../../shared/d1/expectations.ts';
import { upsertJobs } from '../../shared/d1/jobs.ts';
import { type QueuedKill, unacceptedKills } from '../../shared/d1/kill-queue.ts';
import { updateKills } from '../../shared/d1/kills.ts';
import { insertTakenKills } from '../../shared/d1/new-kills.ts';
import { type Registration, registerSockets, type ValidCredentials } from '../../shared/d1/open-sockets.ts';
import { insertOverdueRuns } from '../../shared/d1/overdue-runs.ts';
import {
  auditRunIdConflicts,
  type IndexedRun,
  indexedRuns,
  type RunIdConflict,
} from '../../shared/d1/run-id-conflicts.ts';
import { indexRuns } from '../../shared/d1/runs.ts';
import { findSessions } from '../../shared/d1/sessions.ts';
import { findTokensByHash, readTokens, type TokenRecord } from '../../shared/d1/tokens.ts';
import { purgeKills, purgeRuns } from '../../shared/d1/tombstones.ts';
import type { Env } from '../../shared/env.ts';
import { type JobChanges, MAX_BATCH_WEIGHT, type PublishedChanges, weighChanges } from '../../shared/job-changes.ts';
import { log } from '../../shared/log.ts';
import type { WantedKinds } from '../../shared/rpc/alerts-object.ts';
import type { Committed, D1GatewayRpc, QueuePosition, SignIn } from '../../shared/rpc/d1-gateway.ts';
import { fleetObject } from '../../shared/rpc/fleet-object.ts';
import { AlertForwarding, type Handover } from './alert-forwarding.ts';
import { BatchLoader } from './batch-loader.ts';
import { conflictsOf, conflictsToAudit, indexedAsSent } from './commit-results.ts';
import { latestChanges } from './latest-changes.ts';
import { ViewerPresence } from './viewer-presence.ts';

/** Hashes in one query. */
const MAX_HASHES = 500;
/** Objects registered in one batch. */
const MAX_REGISTRATIONS = 200;
/** Jobs in one read of the queue. */
const MAX_JOBS = 100;
const PUBLISH_LIMIT_MS = 5_000;
/** How long after changes could not be published the viewers are made to fetch them. */
const RESYNC_MS = 5_000;
/** Set while that is to be done. */
const RESYNC = 'resync';

/** Changes, and what they say to the alerts object. */
interface ChangesToCommit {
  readonly changes: JobChanges;
  readonly handover: Handover;
}

export class D1GatewayObject extends DurableObject<Env> implements D1GatewayRpc {
  readonly #signIns = new BatchLoader<string | null, SignIn>({
    name: 'the D1 query for tokens and brakes',
    weigh: () => 1,
    maxWeight: MAX_HASHES,
    loadBatch: async (hashes) => {
      const [found, active] = await this.env.DB.batch([
        findTokensByHash(
          this.env.DB,
          [...new Set(hashes)].filter((hash) => hash !== null),
        ),
        findActiveBrakes(this.env.DB, Date.now()),
      ]);
      const tokens = readTokens(found);
      const brakes = readBrakes(active);
      return hashes.map((hash) => ({ token: hash === null ? null : (tokens.get(hash) ?? null), brakes }));
    },
  });

  readonly #sessions = new BatchLoader<string, string | null>({
    name: 'the D1 query for sessions',
    weigh: () => 1,
    maxWeight: MAX_HASHES,
    loadBatch: async (hashes) => {
      const tokenHashes = await findSessions(this.env.DB, [...new Set(hashes)], Date.now());
      return hashes.map((hash) => tokenHashes.get(hash) ?? null);
    },
  });

  readonly #registrations = new BatchLoader<Registration, ValidCredentials>({
    name: 'the D1 batch that registers sockets',
    weigh: () => 1,
    maxWeight: MAX_REGISTRATIONS,
    loadBatch: (registrations) => registerSockets(this.env.DB, registrations),
  });

  readonly #queue = new BatchLoader<QueuePosition, QueuedKill[]>({
    name: 'the D1 query for queued kills',
    weigh: () => 1,
    maxWeight: MAX_JOBS,
    loadBatch: (positions) => unacceptedKills(this.env.DB, positions),
  });

  readonly #changes = new BatchLoader<ChangesToCommit, Committed>({
    name: 'the D1 batch of changes',
    weigh: ({ changes }) => weighChanges(changes),
    maxWeight: MAX_BATCH_WEIGHT,
    loadBatch: (all) => this.#commit(all),
  });

  readonly #viewers: ViewerPresence;
  readonly #alerts: AlertForwarding;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, withBoundD1(env));
    this.#viewers = new ViewerPresence(ctx.storage);
    this.#alerts = new AlertForwarding(ctx.storage, this.env);
  }

  signIn(hash: string | null): Promise<SignIn> {
    return this.#signIns.load(hash);
  }

  async token(hash: string): Promise<TokenRecord | null> {
    return (await this.#signIns.load(hash)).token;
  }

  session(hash: string): Promise<string | null> {
    return this.#sessions.load(hash);
  }

  registerSockets(registration: Registration): Promise<ValidCredentials> {
    return this.#registrations.load(registration);
  }

  unacceptedKills(position: QueuePosition): Promise<QueuedKill[]> {
    return this.#queue.load(position);
  }

  commit(changes: JobChanges): Promise<Committed> {
    // Not with the batch, which a D1 that hangs would keep waiting.
    const handover = this.#alerts.start(changes.occurrences ?? []);
    return this.#changes.load({ changes, handover });
  }

  viewerArrived(): void {
    this.#viewers.arrived();
  }

  setWantedKinds(wanted: WantedKinds): void {
    this.#alerts.setWanted(wanted);
  }

  async #commit(all: readonly ChangesToCommit[]): Promise<Committed[]> {
    const committed = await this.#write(all.map(({ changes }) => changes));
    this.#alerts.committed(all.map(({ handover }) => handover));
    await this.#setAlarm();
    return committed;
  }

  async #write(all: readonly JobChanges[]): Promise<Committed[]> {
    const latest = latestChanges(all);
    const { jobs, runs, kills, removedRuns, removedKills, taken } = latest;
    const { expectations, removedExpectations, overdueRuns } = latest;
    const db = this.env.DB;
    const before = [...(taken.length === 0 ? [] : insertTakenKills(db, taken)), countChanges(db, runs, kills)];
    const writeRuns = runs.length === 0 ? [] : indexRuns(db, runs);
    const results = await db.batch<IndexedRun>([
      ...before,
      ...writeRuns,
      ...(runs.length === 0 ? [] : [indexedRuns(db, runs), upsertJobs(db, jobs, Date.now())]),
      ...(kills.length === 0 ? [] : [updateKills(db, kills)]),
      ...(expectations.length === 0 ? [] : [upsertExpectations(db, expectations)]),
      ...(overdueRuns.length === 0 ? [] : [insertOverdueRuns(db, overdueRuns)]),
      // Last: an older state that is sent again in the same batch must not survive them.
      ...(removedRuns.length === 0 ? [] : purgeRuns(db, removedRuns)),
      ...(removedKills.length === 0 ? [] : [purgeKills(db, removedKills)]),
      ...(removedExpectations.length === 0 ? [] : [purgeExpectations(db, removedExpectations)]),
    ]);
    const rows = runs.length === 0 ? [] : (results[before.length + writeRuns.length]?.results ?? []);
    await this.#audit(conflictsToAudit(rows));
    this.ctx.waitUntil(this.#publish({ ...latest, runs: indexedAsSent(runs, rows) }));
    return all.map(({ job }) => ({ namesakes: conflictsOf(job, rows) }));
  }

  /** An entry that could not be written is sent again with the next change of one of the runs. */
  async #audit(conflicts: readonly RunIdConflict[]): Promise<void> {
    if (conflicts.length === 0) return;
    try {
      await this.env.DB.batch(auditRunIdConflicts(this.env.DB, conflicts, Date.now()));
    } catch (error) {
      log.error('run_conflict_not_recorded', error, { conflicts: conflicts.length });
    }
  }

  /** The alarm after something could not be passed on. */
  override async alarm(): Promise<void> {
    await Promise.all([this.#resync(), this.#alerts.retry()]);
    await this.#setAlarm();
  }

  /** After changes could not be published: viewers fetch what they have missed. */
  async #resync(): Promise<void> {
    const { kv } = this.ctx.storage;
    if (kv.get<boolean>(RESYNC) !== true) return;
    try {
      await withTimeout(fleetObject(this.env).resync(), PUBLISH_LIMIT_MS, { what: 'the fleet object' });
      kv.delete(RESYNC);
    } catch (error) {
      log.error('resync_failed', error);
    }
  }

  /** If something is left to be passed on. */
  async #setAlarm(): Promise<void> {
    const resyncAt = this.ctx.storage.kv.get<boolean>(RESYNC) === true ? Date.now() + RESYNC_MS : null;
    const due = [resyncAt, this.#alerts.retryAt].filter((at) => at !== null);
    if (due.length === 0 || (await this.ctx.storage.getAlarm()) !== null) return;
    await this.ctx.storage.setAlarm(Math.min(...due));
  }

  /**
   * Publishes to dashboards. Never throws: D1 has the changes, so they need not be sent again, and a dashboard that has
   * missed them finds them there.
   */
  async #publish(news: PublishedChanges): Promise<void> {
    if (!this.#viewers.isPossible) return;
    const { arrivals } = this.#viewers;
    try {
      const published = fleetObject(this.env).publish(news);
      const hasViewers = await withTimeout(published, PUBLISH_LIMIT_MS, { what: 'the fleet object' });
      // An older fleet object answers nothing.
      if (hasViewers === false) this.#viewers.noneLeft(arrivals);
    } catch (error) {
      log.error('publish_failed', error);
      this.ctx.storage.kv.put(RESYNC, true);
      await this.#setAlarm();
    }
  }
}

/**
 * Asks D1 on behalf of the many: of all wrappers that connect, and of all job objects with something to tell.
 *
 * D1 is one thread. When cron fires everywhere at the full hour, or a deploy makes everyone reconnect, thousands of
 * small queries would be the queue in which a kill waits. Here they become a few large ones, one at a time for each
 * purpose, so that a kill, which goes to D1 by itself, never waits for more than one of each.
 *
 * It keeps nothing: no answer outlives the query that brought it.
 */
import { DurableObject } from 'cloudflare:workers';
import type { Kill } from '#protocol/api';
import { withTimeout } from '#shared/with-timeout';
import { upsertJobs } from '../../shared/d1/jobs.ts';
import { unacceptedKills } from '../../shared/d1/kill-queue.ts';
import { updateKills } from '../../shared/d1/kills.ts';
import { type Registration, registerSockets, type ValidCredentials } from '../../shared/d1/open-sockets.ts';
import {
  auditRunIdConflicts,
  type IndexedRun,
  indexedRuns,
  type RunIdConflict,
} from '../../shared/d1/run-id-conflicts.ts';
import { upsertRuns } from '../../shared/d1/runs.ts';
import { findSessions } from '../../shared/d1/sessions.ts';
import { findTokensByHash, type TokenRecord } from '../../shared/d1/tokens.ts';
import { purgeTombstones } from '../../shared/d1/tombstones.ts';
import type { Env } from '../../shared/env.ts';
import { type JobChanges, MAX_BATCH_WEIGHT, type News, weighChanges } from '../../shared/job-changes.ts';
import { log } from '../../shared/log.ts';
import type { Committed, D1GatewayRpc, QueuePosition } from '../../shared/rpc/d1-gateway.ts';
import { Coalescer } from './coalescer.ts';
import { latestChanges } from './latest-changes.ts';
import { namesakesOf, secondOnes, takenRuns } from './taken-runs.ts';

/** Hashes in one query. */
const MAX_HASHES = 500;
/** Objects registered in one batch. */
const MAX_REGISTRATIONS = 200;
/** Jobs in one look into the queue. */
const MAX_JOBS = 100;
const PUBLISH_LIMIT_MS = 5_000;

export class D1GatewayObject extends DurableObject<Env> implements D1GatewayRpc {
  readonly #tokens = new Coalescer<string, TokenRecord | null>({
    name: 'the reading of tokens from D1',
    weigh: () => 1,
    maxWeight: MAX_HASHES,
    ask: async (hashes) => {
      const tokens = await findTokensByHash(this.env.DB, [...new Set(hashes)]);
      return hashes.map((hash) => tokens.get(hash) ?? null);
    },
  });

  readonly #sessions = new Coalescer<string, string | null>({
    name: 'the reading of sessions from D1',
    weigh: () => 1,
    maxWeight: MAX_HASHES,
    ask: async (hashes) => {
      const tokenHashes = await findSessions(this.env.DB, [...new Set(hashes)], Date.now());
      return hashes.map((hash) => tokenHashes.get(hash) ?? null);
    },
  });

  readonly #registrations = new Coalescer<Registration, ValidCredentials>({
    name: 'the registering of sockets in D1',
    weigh: () => 1,
    maxWeight: MAX_REGISTRATIONS,
    ask: (registrations) => registerSockets(this.env.DB, registrations),
  });

  readonly #queue = new Coalescer<QueuePosition, Kill[]>({
    name: 'the reading of the queue in D1',
    weigh: () => 1,
    maxWeight: MAX_JOBS,
    ask: (positions) => unacceptedKills(this.env.DB, positions),
  });

  readonly #changes = new Coalescer<JobChanges, Committed>({
    name: 'the writing of changes to D1',
    weigh: weighChanges,
    maxWeight: MAX_BATCH_WEIGHT,
    ask: (changes) => this.#commit(changes),
  });

  token(hash: string): Promise<TokenRecord | null> {
    return this.#tokens.ask(hash);
  }

  session(hash: string): Promise<string | null> {
    return this.#sessions.ask(hash);
  }

  registerSockets(registration: Registration): Promise<ValidCredentials> {
    return this.#registrations.ask(registration);
  }

  queuedKills(position: QueuePosition): Promise<Kill[]> {
    return this.#queue.ask(position);
  }

  commit(changes: JobChanges): Promise<Committed> {
    return this.#changes.ask(changes);
  }

  async #commit(all: readonly JobChanges[]): Promise<Committed[]> {
    const { jobs, runs, kills, forgottenRuns, forgottenKills } = latestChanges(all);
    const db = this.env.DB;
    const [, , indexed] = await db.batch<IndexedRun>([
      upsertJobs(db, jobs, Date.now()),
      ...(runs.length === 0 ? [] : [upsertRuns(db, runs), indexedRuns(db, runs)]),
      ...(kills.length === 0 ? [] : [updateKills(db, kills)]),
      // Last: an older state that is told once more at the same time must not outlive them.
      ...(forgottenRuns.length === 0 ? [] : [purgeTombstones(db, 'runs', forgottenRuns)]),
      ...(forgottenKills.length === 0 ? [] : [purgeTombstones(db, 'kills', forgottenKills)]),
    ]);
    const rows = runs.length === 0 ? [] : (indexed?.results ?? []);
    await this.#audit(secondOnes(rows));
    const published = await this.#publish({ runs: takenRuns(runs, rows), kills, forgottenRuns });
    return all.map(({ job }) => ({ published, namesakes: namesakesOf(job, rows) }));
  }

  /** What could not be written is told once more with the next change of one of the runs. */
  async #audit(conflicts: readonly RunIdConflict[]): Promise<void> {
    if (conflicts.length === 0) return;
    try {
      await this.env.DB.batch(auditRunIdConflicts(this.env.DB, conflicts, Date.now()));
    } catch (error) {
      log.error('run_conflict_not_recorded', error, { conflicts: conflicts.length });
    }
  }

  /** Tells the pages. They are no reason to doubt D1: that they could not be told is an answer, not a failure. */
  async #publish(news: News): Promise<boolean> {
    try {
      const published = this.env.FLEET.getByName('fleet').publish(news);
      await withTimeout(published, PUBLISH_LIMIT_MS, { what: 'the fleet object' });
      return true;
    } catch (error) {
      log.error('publish_failed', error);
      return false;
    }
  }
}

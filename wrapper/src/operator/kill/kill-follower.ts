/** Follows kills until they are over: by the watch sockets of their jobs, or by asking now and then where there are none. */
import { performance } from 'node:perf_hooks';
import { type Kill, Kill as KillSchema } from '#protocol/api';
import type { ApiClient } from '../api-client.ts';
import { ApiError } from '../operator-error.ts';
import { openWatch } from '../watch/open-watch.ts';
import type { WatchLink } from '../watch/watch-link.ts';
import { KillProgress, type Step } from './progress.ts';

/** The kills of more jobs are followed by the one socket for all jobs. */
const MAX_JOB_SOCKETS = 5;
/** More kills are read as one list. */
const MAX_SINGLE_READS = 20;
/** Without a socket. */
const POLL_MS = 1_000;
/** Beside a socket, which may be silent although it is open. */
const CHECK_MS = 10_000;

export interface FollowerEvents {
  /** Steps that are new. */
  steps(steps: readonly Step[]): void;
  /** Progress no longer arrives, and is being tried again; or, with null, it does again. */
  link(why: string | null): void;
}

export class KillFollower {
  readonly progress = new KillProgress();
  readonly #api: ApiClient;
  readonly #events: FollowerEvents;
  readonly #links: WatchLink[];
  readonly #requestedAt = performance.now();
  #poll: NodeJS.Timeout | undefined;
  #pollMs = CHECK_MS;
  #trouble: string | null = null;
  #isAllStored = false;
  #isClosed = false;
  #finish: () => void = () => {};
  /** Resolves when all kills are over. */
  readonly over: Promise<void>;

  /** Call it before the kills are requested: then no step is missed. */
  constructor(api: ApiClient, jobs: ReadonlySet<string>, events: FollowerEvents) {
    this.#api = api;
    this.#events = events;
    this.over = new Promise((resolve) => {
      this.#finish = resolve;
    });
    const paths =
      jobs.size > 0 && jobs.size <= MAX_JOB_SOCKETS
        ? [...jobs].map((job) => `/jobs/${encodeURIComponent(job)}/watch`)
        : ['/watch'];
    this.#links = paths.map((path) => this.#watch(path));
    this.#pollLater();
  }

  /** The time since the kills were requested. */
  get elapsedMs(): number {
    return performance.now() - this.#requestedAt;
  }

  /** Kills that are stored. */
  add(kills: readonly Kill[]): void {
    for (const kill of kills) this.#take(kill);
  }

  /** No further ones are added. */
  allStored(): void {
    this.#isAllStored = true;
    this.#checkOver();
    // What changed before a socket was open.
    if (!this.#isClosed) void this.#read();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#poll);
    for (const link of this.#links) link.close();
  }

  #watch(path: string): WatchLink {
    return openWatch(this.#api, path, {
      opened: () => {
        this.#linked(null);
        void this.#read();
      },
      message: (message) => {
        if (message.type === 'kill' && this.progress.has(message.kill.id)) this.#take(message.kill);
      },
      down: (why) => this.#linked(why),
      // A token that may kill and not read, or something between that lets no WebSocket through.
      refused: () => {
        this.#pollMs = POLL_MS;
        this.#pollLater();
      },
    });
  }

  /** Why progress doesn't arrive at the moment; null: it does. */
  get trouble(): string | null {
    return this.#trouble;
  }

  #linked(trouble: string | null): void {
    const isChanged = (this.#trouble === null) !== (trouble === null);
    this.#trouble = trouble;
    if (isChanged) this.#events.link(trouble);
  }

  #take(kill: Kill): void {
    this.#events.steps(this.progress.take(kill, this.elapsedMs));
    this.#checkOver();
  }

  #checkOver(): void {
    if (this.#isAllStored && this.progress.open.length === 0) this.#finish();
  }

  #pollLater(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#poll);
    this.#poll = setTimeout(() => void this.#read().then(() => this.#pollLater()), this.#pollMs);
  }

  /** Reads the kills that are not over. */
  async #read(): Promise<void> {
    try {
      const { open } = this.progress;
      const batches = new Set(open.map(({ batch }) => batch));
      const [batch = null] = batches;
      if (open.length <= MAX_SINGLE_READS || batches.size > 1 || batch === null) await this.#readEach(open);
      else await this.#readBatch(batch);
      this.#linked(null);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!this.#isClosed) this.#linked(error.message);
    }
  }

  async #readEach(kills: readonly Kill[]): Promise<void> {
    for (const { id } of kills) {
      if (this.#isClosed) return;
      this.#take((await this.#api.get(KillSchema, 'kill', { path: `/kills/${id}`, isImpatient: true })).value);
    }
  }

  async #readBatch(batch: string): Promise<void> {
    const call = { path: '/kills', query: { batch }, isImpatient: true };
    for await (const { value } of this.#api.list(KillSchema, 'kills', call)) this.#take(value);
  }
}

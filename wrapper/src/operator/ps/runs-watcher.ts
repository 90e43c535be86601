/**
 * Keeps runs up to date: by the watch socket for all jobs, and by lists whenever it opens. Where no socket is let through,
 * by lists now and then.
 */
import type { Run } from '#protocol/api';
import type { WatchMessage } from '#protocol/watch-link';
import { mapConcurrent } from '#shared/map-concurrent';
import type { ApiClient, Received } from '../api-client.ts';
import { EXIT } from '../exit-codes.ts';
import { getRun, refOf } from '../find-run.ts';
import { listRuns, openRuns, take } from '../list-runs.ts';
import { ApiError, OperatorError } from '../operator-error.ts';
import { openWatch } from '../watch/open-watch.ts';
import type { WatchLink, WatchRefusal } from '../watch/watch-link.ts';
import { isOfOpenRuns, type RunChange, WatchedRuns, type WatchFilter } from './watched-runs.ts';

/** How far what is shown is up to date. */
export type WatchStatus =
  /** Nothing is known yet. */
  | { readonly kind: 'loading' }
  | { readonly kind: 'live' }
  /** Since this time nothing is reported, or could be fetched. */
  | { readonly kind: 'reconnecting'; readonly why: string; readonly sinceMs: number }
  /** There is no socket. */
  | { readonly kind: 'polling'; readonly why: string };

export interface WatcherEvents {
  changed(change: RunChange): void;
  status(status: WatchStatus): void;
  /** It can't be continued. */
  failed(error: unknown): void;
}

const RETRY_MS = 3_000;
const POLL_MS = 5_000;
const CONCURRENT_READS = 6;

export class RunsWatcher {
  readonly runs: WatchedRuns;
  readonly #api: ApiClient;
  readonly #filter: WatchFilter;
  readonly #events: WatcherEvents;
  readonly #link: WatchLink;
  #status: WatchStatus = { kind: 'loading' };
  #isUp = false;
  /** Why there is no socket; null: there is one, or will be. */
  #refusal: string | null = null;
  #hasList = false;
  #attempts = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(api: ApiClient, filter: WatchFilter, events: WatcherEvents) {
    this.#api = api;
    this.#filter = filter;
    this.#events = events;
    this.runs = new WatchedRuns(filter);
    this.#link = openWatch(api, '/watch', {
      opened: () => {
        this.#isUp = true;
        this.#resync();
      },
      message: (message, text) => this.#hear(message, text),
      down: (why) => this.#down(why),
      refused: (refusal) => this.#refused(refusal),
    });
  }

  /** The reader of stdout is slow: what changes meanwhile is read afterwards. */
  pause(): void {
    this.#link.pause();
  }

  resume(): void {
    this.#link.resume();
  }

  close(): void {
    this.#attempts += 1;
    clearTimeout(this.#timer);
    this.#link.close();
  }

  #hear(message: WatchMessage, text: string): void {
    if (message.type === 'run') this.#take({ value: message.run, raw: rawRun(text) });
    else if (message.type === 'run_removed') this.runs.remove(message.job, message.run, message.seq);
  }

  #take(run: Received<Run>): void {
    const change = this.runs.take(run, this.#api.now());
    if (change !== null) this.#events.changed(change);
  }

  #down(why: string): void {
    this.#isUp = false;
    this.#stale(why);
    // The socket doesn't say as clearly why it can't be opened, or may be all that fails.
    if (!this.#hasList) this.#resync();
  }

  #refused({ status, why }: WatchRefusal): void {
    if (status === 401 || status === 403) {
      this.#events.failed(new OperatorError(why, EXIT.notAllowed));
      return;
    }
    this.#refusal = why;
    this.#resync();
  }

  #stale(why: string): void {
    const { kind } = this.#status;
    if (kind === 'loading') return;
    const sinceMs = this.#status.kind === 'reconnecting' ? this.#status.sinceMs : this.#api.now();
    this.#setStatus({ kind: 'reconnecting', why, sinceMs });
  }

  #setStatus(status: WatchStatus): void {
    this.#status = status;
    this.#events.status(status);
  }

  #resync(): void {
    this.#attempts += 1;
    clearTimeout(this.#timer);
    const mine = this.#attempts;
    const isOutdated = () => mine !== this.#attempts;
    this.#fetch(isOutdated).then(
      () => {
        if (!isOutdated()) this.#fetched();
      },
      (error: unknown) => {
        if (!isOutdated()) this.#notFetched(error);
      },
    );
  }

  #fetched(): void {
    this.#hasList = true;
    if (this.#refusal !== null) {
      this.#setStatus({ kind: 'polling', why: this.#refusal });
      this.#again(POLL_MS);
    } else if (this.#isUp) this.#setStatus({ kind: 'live' });
    else if (this.#status.kind === 'loading') {
      this.#setStatus({ kind: 'reconnecting', why: 'no connection for changes yet', sinceMs: this.#api.now() });
    }
  }

  #notFetched(error: unknown): void {
    const isPassing = error instanceof ApiError && error.exitCode !== EXIT.notAllowed;
    if (!isPassing || !this.#hasList) {
      this.#events.failed(error);
      return;
    }
    this.#stale(error.message);
    this.#again(RETRY_MS);
  }

  #again(ms: number): void {
    this.#timer = setTimeout(() => this.#resync(), ms);
  }

  async #fetch(isOutdated: () => boolean): Promise<void> {
    const before = this.runs.open;
    const listed = new Set<string>();
    for await (const run of this.#list()) {
      if (isOutdated()) return;
      listed.add(refOf(run.value));
      this.#take(run);
    }
    const unlisted = before.filter((run) => !listed.has(refOf(run)) && this.runs.has(run));
    await mapConcurrent(unlisted, CONCURRENT_READS, async (run) => {
      if (!isOutdated()) await this.#readAgain(run);
    });
  }

  async *#list(): AsyncGenerator<Received<Run>, void, undefined> {
    // The first list may wait for a control plane that is busy: there is nothing to show yet.
    const options = { isImpatient: this.#hasList };
    if (isOfOpenRuns(this.#filter)) yield* openRuns(this.#api, this.#filter, options);
    else yield* await take(listRuns(this.#api, { ...this.#filter, since: null }, options), this.#filter.limit);
  }

  async #readAgain({ job, id, seq }: Run): Promise<void> {
    try {
      this.#take(await getRun(this.#api, id, job));
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'unknown_run') throw error;
      this.runs.remove(job, id, seq);
    }
  }
}

/** With the fields that this version doesn't know. */
function rawRun(text: string): unknown {
  return (JSON.parse(text) as { readonly run?: unknown }).run;
}

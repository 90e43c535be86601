/** One run with its events and its output, kept up to date. */
import { batch, computed, type ReadonlySignal, signal } from '@preact/signals';
import type { Run, RunEvent } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import type { WatchMessage } from '#protocol/watch-link';
import { fetchEvents, fetchRun } from '../api/calls.ts';
import { type Failure, type Result, success } from '../api/failure.ts';
import { OutputFeed } from '../output/output-feed.ts';
import { upsertKills } from './kills.ts';
import { type LiveUsage, nextUsage } from './live-usage.ts';
import type { IsOutdated } from './resync.ts';
import { type RunRef, refOf } from './run-ref.ts';
import { store } from './store.ts';
import { Sync, type SyncStatus } from './sync.ts';

/** @param job null: the job of the only run with this id */
export function followRun(id: string, job: string | null): RunFollower {
  const follower = new RunFollower(id, job);
  follower.start();
  return follower;
}

export class RunFollower {
  readonly events = signal<readonly RunEvent[]>([]);
  /** Whether the events from before this view are among them: without them a kill's progress is unknown. */
  readonly areEventsKnown = signal(false);
  /** Whether some are missing in the middle, because there are too many. */
  readonly areEventsTruncated = signal(false);
  readonly feed = signal<OutputFeed | null>(null);
  /** What the run's processes took when they were last heard of; null when that isn't known, and after its end. */
  readonly usage: ReadonlySignal<LiveUsage | null>;
  readonly #liveUsage = signal<LiveUsage | null>(null);
  /** Goes up whenever the feed has something new to draw. */
  readonly outputVersion = signal(0);
  readonly run: ReadonlySignal<Run | null>;
  readonly syncStatus: ReadonlySignal<SyncStatus>;
  /** Why nothing can be shown, or why what is shown may be outdated. */
  readonly failure: ReadonlySignal<Failure | null>;
  readonly #id: string;
  /** Null until it is known. */
  #job: string | null;
  readonly #ref = signal<RunRef | null>(null);
  readonly #sync = new Sync({
    open: (isOutdated) => this.#fetchRun(isOutdated),
    // The subscription comes first, then the resync: nothing falls between.
    opened: () => this.feed.value?.opened(),
    resync: (isOutdated) => this.#resync(isOutdated),
    message: (message) => this.#received(message),
    output: (frame) => this.feed.value?.frame(frame),
  });
  #release: () => void = () => undefined;

  constructor(id: string, job: string | null) {
    this.#id = id;
    this.#job = job;
    let last: Run | null = null;
    this.run = computed(() => {
      // A run that is removed while it is shown stays in view.
      if (this.#ref.value !== null) last = store.run(this.#ref.value) ?? last;
      return last;
    });
    this.usage = computed(() => {
      const run = this.run.value;
      return run !== null && isLive(run.state) ? this.#liveUsage.value : null;
    });
    this.syncStatus = this.#sync.status;
    this.failure = this.#sync.failure;
  }

  start(): void {
    this.#sync.start();
  }

  stop(): void {
    this.#sync.stop();
    this.#release();
  }

  /** @returns the path of its job's socket */
  async #fetchRun(isOutdated: IsOutdated): Promise<Result<string>> {
    const answer = await fetchRun(this.#id, this.#job);
    if (!answer.ok) return answer;
    const run = answer.value;
    if (!isOutdated()) {
      const ref = refOf(run);
      this.#job = run.job;
      this.#release = store.retain((other) => refOf(other) === ref);
      batch(() => {
        store.apply({ pastRuns: [run] });
        this.#ref.value = ref;
        this.feed.value = this.#openFeed(run);
      });
    }
    return success(`/jobs/${encodeURIComponent(run.job)}/watch`);
  }

  #received(message: WatchMessage): void {
    if ('run' in message && (message.type === 'run' ? message.run.id : message.run) !== this.#id) return;
    switch (message.type) {
      case 'subscribed':
        this.feed.value?.subscribed(message.offset);
        this.#sync.resync();
        return;
      case 'run':
        store.apply({ runs: [message.run] });
        return;
      case 'kill':
        upsertKills([message.kill]);
        return;
      case 'event':
        this.#addEvents([message.event]);
        return;
      case 'usage':
        this.#liveUsage.value = nextUsage(this.#liveUsage.peek(), message.usage, performance.now());
        return;
      case 'gap':
        this.feed.value?.gap(message.from, message.to, message.begin);
        return;
      case 'behind':
        void this.feed.value?.behind();
        return;
      case 'error':
        console.warn(`watch: ${message.code}: ${message.message}`);
    }
  }

  async #resync(isOutdated: IsOutdated): Promise<Failure | null> {
    const [run, events] = await Promise.all([fetchRun(this.#id, this.#job), fetchEvents(this.#id, this.#job)]);
    if (isOutdated()) return null;
    batch(() => {
      if (run.ok) store.apply({ pastRuns: [run.value] });
      if (!events.ok) return;
      this.#addEvents(events.value.items);
      this.areEventsKnown.value = true;
      this.areEventsTruncated.value = events.value.isTruncated;
    });
    if (!run.ok) return run.failure;
    return events.ok ? null : events.failure;
  }

  #addEvents(arrived: readonly RunEvent[]): void {
    const byId = new Map(this.events.value.map((event) => [event.id, event]));
    const before = byId.size;
    for (const event of arrived) byId.set(event.id, event);
    if (byId.size === before) return;
    this.events.value = [...byId.values()].sort((a, b) => a.id - b.id);
  }

  #openFeed(run: Run): OutputFeed {
    return new OutputFeed(this.#id, run.output_bytes, {
      send: (message) => this.#sync.send(message),
      fetchTotal: async () => {
        const answer = await fetchRun(this.#id, this.#job);
        return answer.ok ? answer.value.output_bytes : null;
      },
      changed: () => {
        this.outputVersion.value += 1;
      },
      later: (task, ms) => {
        setTimeout(task, ms);
      },
    });
  }
}

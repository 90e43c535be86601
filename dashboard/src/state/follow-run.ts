/** Everything the run page shows of one run, as it changes. */

import { batch, type ReadonlySignal, signal } from '@preact/signals';
import type { Run, RunEvent } from '#protocol/api';
import type { WatchMessage } from '#protocol/watch-link';
import { fetchEvents, fetchRun } from '../api/calls.ts';
import { type Failure, isTemporary } from '../api/failure.ts';
import { openWatch, type WatchSocket } from '../api/watch-socket.ts';
import { OutputFeed } from '../output/output-feed.ts';
import { CatchUp } from './catch-up.ts';
import { type Freshness, freshnessWith } from './freshness.ts';
import { keepKills } from './kills.ts';
import { newerOf } from './newest.ts';
import { doubtSession } from './session.ts';

/** After a failure that may pass. */
const RETRY_MS = 3_000;

export interface RunFollower {
  readonly run: ReadonlySignal<Run | null>;
  readonly events: ReadonlySignal<readonly RunEvent[]>;
  /** Whether those from before this page was loaded are among them: without them nobody can say how far a kill has come. */
  readonly areEventsKnown: ReadonlySignal<boolean>;
  /** Whether there are more of them, somewhere in the middle. */
  readonly areEventsCut: ReadonlySignal<boolean>;
  readonly freshness: ReadonlySignal<Freshness>;
  /** Why nothing can be shown, or why what is shown may be old. */
  readonly failure: ReadonlySignal<Failure | null>;
  readonly feed: ReadonlySignal<OutputFeed | null>;
  /** Goes up whenever the feed has something new to draw. */
  readonly outputVersion: ReadonlySignal<number>;
  stop(): void;
}

/** @param job null: of whichever job has a run with this id, if only one has */
export function followRun(id: string, job: string | null): RunFollower {
  const follower = new Follower(id, job);
  void follower.begin();
  return follower;
}

class Follower implements RunFollower {
  readonly run = signal<Run | null>(null);
  readonly events = signal<readonly RunEvent[]>([]);
  readonly areEventsKnown = signal(false);
  readonly areEventsCut = signal(false);
  readonly freshness = signal<Freshness>({ kind: 'connecting' });
  readonly failure = signal<Failure | null>(null);
  readonly feed = signal<OutputFeed | null>(null);
  readonly outputVersion = signal(0);
  readonly #id: string;
  /** Null until it is known. */
  #job: string | null;
  readonly #catchUp = new CatchUp(
    (isOutdated) => this.#askForMissed(isOutdated),
    (failure) => {
      this.failure.value = failure;
      if (failure === null && this.freshness.value.kind === 'catching_up') this.freshness.value = { kind: 'open' };
    },
  );
  #watch: WatchSocket | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(id: string, job: string | null) {
    this.#id = id;
    this.#job = job;
  }

  /** The run has to be known before its job can be watched. */
  async begin(): Promise<void> {
    const answer = await fetchRun(this.#id, this.#job);
    if (this.#stopped) return;
    if (!answer.ok) {
      this.failure.value = answer.failure;
      if (isTemporary(answer.failure)) this.#retry = setTimeout(() => void this.begin(), RETRY_MS);
      return;
    }
    const run = answer.value;
    this.#job = run.job;
    batch(() => {
      this.failure.value = null;
      this.run.value = newerOf(this.run.value, run);
      this.feed.value = this.#openFeed(run);
    });
    this.#watch = openWatch(`/jobs/${encodeURIComponent(run.job)}/watch`, {
      opened: () => this.feed.value?.opened(),
      message: (message) => this.#received(message),
      output: (frame) => this.feed.value?.frame(frame),
      state: (state) => {
        this.freshness.value = freshnessWith(this.freshness.value, state);
      },
      refused: () => void doubtSession(),
    });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#catchUp.stop();
    this.#watch?.close();
  }

  #received(message: WatchMessage): void {
    switch (message.type) {
      case 'subscribed':
        // From here on nothing is missed: now ask for what was before.
        if (message.run !== this.#id) return;
        this.feed.value?.subscribed(message.offset);
        void this.#catchUp.begin();
        return;
      case 'run':
        if (message.run.id === this.#id) this.run.value = newerOf(this.run.value, message.run);
        return;
      case 'kill':
        keepKills([message.kill]);
        return;
      case 'event':
        if (message.run === this.#id) this.#addEvents([message.event]);
        return;
      case 'gap':
        if (message.run === this.#id) this.feed.value?.gap(message.from, message.to, message.begin);
        return;
      case 'behind':
        if (message.run === this.#id) void this.feed.value?.behind();
        return;
      case 'error':
        console.warn(`watch: ${message.code}: ${message.message}`);
    }
  }

  async #askForMissed(isOutdated: () => boolean): Promise<Failure | null> {
    const [run, events] = await Promise.all([fetchRun(this.#id, this.#job), fetchEvents(this.#id, this.#job)]);
    if (isOutdated()) return null;
    batch(() => {
      if (run.ok) this.run.value = newerOf(this.run.value, run.value);
      if (!events.ok) return;
      this.#addEvents(events.value.items);
      this.areEventsKnown.value = true;
      this.areEventsCut.value = events.value.isCut;
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
      send: (message) => this.#watch?.send(message) ?? false,
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

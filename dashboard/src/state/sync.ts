/**
 * One watch socket that keeps the store up to date. Whenever it opens, what was missed is fetched while the changes already
 * arrive: whichever comes first, the store keeps the newer version.
 */
import { batch, type ReadonlySignal, signal } from '@preact/signals';
import type { OutputFrame } from '#protocol/output-frame';
import type { ViewerMessage, WatchMessage } from '#protocol/watch-link';
import type { Failure, Result } from '../api/failure.ts';
import { type LinkState, openWatch, type WatchSocket } from '../api/watch-socket.ts';
import { type IsOutdated, Resync } from './resync.ts';
import { recheckSession } from './session.ts';
import { store, type Update } from './store.ts';

/** How far what is shown is up to date. `since`: when the connection was lost; null while it never was. */
export type SyncStatus =
  | { readonly kind: 'connecting' }
  /** Connected, and what was missed is being fetched. */
  | { readonly kind: 'syncing'; readonly since: number | null }
  | { readonly kind: 'live' }
  | { readonly kind: 'stale'; readonly since: number };

/** The status after a change of the connection. Only a resync makes it `live`. */
export function statusAfter(before: SyncStatus, link: LinkState): SyncStatus {
  const since = before.kind === 'stale' || before.kind === 'syncing' ? before.since : null;
  switch (link.kind) {
    case 'connecting':
      return { kind: 'connecting' };
    case 'open':
      return { kind: 'syncing', since };
    case 'down':
      return { kind: 'stale', since: since ?? link.since };
  }
}

interface SyncOptions {
  /** Fetches what has to be known before the socket can be opened. @returns the socket's path */
  open(isOutdated: IsOutdated): Promise<Result<string>>;
  /** Fetches what was missed into the store. @returns why it could not fetch all of it, or null */
  resync(isOutdated: IsOutdated): Promise<Failure | null>;
  /** In place of the start of a resync, which is up to the caller then. */
  opened?(): void;
  /** Besides the store. */
  heard?(message: WatchMessage): void;
  /** In place of the store. */
  message?(message: WatchMessage): void;
  /** After the store has taken an update. */
  received?(update: Update): void;
  output?(frame: OutputFrame): void;
}

export class Sync {
  readonly #status = signal<SyncStatus>({ kind: 'connecting' });
  readonly #failure = signal<Failure | null>(null);
  readonly #options: SyncOptions;
  readonly #batcher = new UpdateBatcher((update) => {
    store.receive(update);
    this.#options.received?.(update);
  });
  readonly #open: Resync;
  readonly #resync: Resync;
  #socket: WatchSocket | null = null;
  #path: string | null = null;

  readonly status: ReadonlySignal<SyncStatus> = this.#status;
  /** Why the socket could not be opened, or the last resync failed: what is shown may be incomplete. */
  readonly failure: ReadonlySignal<Failure | null> = this.#failure;

  constructor(options: SyncOptions) {
    this.#options = options;
    this.#open = new Resync(
      (isOutdated) => this.#openSocket(isOutdated),
      (failure) => {
        if (failure !== null) this.#failure.value = failure;
      },
    );
    this.#resync = new Resync(options.resync, (failure) =>
      batch(() => {
        this.#failure.value = failure;
        if (failure === null && this.#status.value.kind === 'syncing') this.#status.value = { kind: 'live' };
      }),
    );
  }

  /** Opens the socket, or another one if its path has changed. */
  start(): void {
    void this.#open.begin();
  }

  /** @returns whether it was sent */
  send(message: ViewerMessage): boolean {
    return this.#socket?.send(message) ?? false;
  }

  resync(): void {
    void this.#resync.begin();
  }

  stop(): void {
    this.#open.stop();
    this.#resync.stop();
    this.#batcher.stop();
    this.#socket?.close();
    this.#socket = null;
    this.#path = null;
    batch(() => {
      this.#status.value = { kind: 'connecting' };
      this.#failure.value = null;
    });
  }

  async #openSocket(isOutdated: IsOutdated): Promise<Failure | null> {
    const path = await this.#options.open(isOutdated);
    if (!path.ok) return path.failure;
    if (isOutdated() || path.value === this.#path) return null;
    const { opened, message, output } = this.#options;
    this.#path = path.value;
    this.#failure.value = null;
    this.#socket?.close();
    this.#socket = openWatch(path.value, {
      opened: opened ?? (() => this.resync()),
      message:
        message ??
        ((received) => {
          this.#options.heard?.(received);
          this.#batcher.add(received);
        }),
      state: (link) => {
        this.#status.value = statusAfter(this.#status.value, link);
      },
      refused: () => void recheckSession(),
      ...(output === undefined ? {} : { output }),
    });
    return null;
  }
}

const BATCH_MS = 50;

/** Gathers a burst of changes into one update: the dashboard renders once for all of them. */
export class UpdateBatcher {
  readonly #flush: (update: Update) => void;
  #messages: WatchMessage[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(flush: (update: Update) => void) {
    this.#flush = flush;
  }

  add(message: WatchMessage): void {
    this.#messages.push(message);
    this.#timer ??= setTimeout(() => {
      const messages = this.#messages;
      this.stop();
      this.#flush(updateOf(messages));
    }, BATCH_MS);
  }

  /** Drops what was gathered. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#messages = [];
  }
}

function updateOf(messages: readonly WatchMessage[]): Update {
  return {
    jobs: [],
    pastRuns: [],
    runs: messages.flatMap((message) => (message.type === 'run' ? [message.run] : [])),
    kills: messages.flatMap((message) => (message.type === 'kill' ? [message.kill] : [])),
    expectations: messages.flatMap((message) => (message.type === 'expectation' ? [message.expectation] : [])),
    removedExpectations: messages.flatMap((message) => (message.type === 'expectation_removed' ? [message] : [])),
    removedRuns: messages.flatMap((message) =>
      message.type === 'run_removed' ? [{ job: message.job, id: message.run, seq: message.seq }] : [],
    ),
    removedJobs: messages.flatMap((message) => (message.type === 'job_removed' ? [message.job] : [])),
  };
}

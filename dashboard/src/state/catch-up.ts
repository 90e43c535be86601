/** Asking for what was missed while nobody told us, until it is there. */
import type { Failure } from '../api/failure.ts';

const RETRY_MS = 3_000;

/**
 * Asks for all that was missed.
 *
 * @param isOutdated true once it was begun anew, or stopped: what is still answered counts for nothing
 * @returns why some of it could not be had, or null
 */
type Ask = (isOutdated: () => boolean) => Promise<Failure | null>;

export class CatchUp {
  readonly #ask: Ask;
  readonly #done: (failure: Failure | null) => void;
  #begun = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;

  /** @param done is told of each asking that was not outdated; after a failure it is asked again by itself */
  constructor(ask: Ask, done: (failure: Failure | null) => void) {
    this.#ask = ask;
    this.#done = done;
  }

  /** To be called whenever a socket has opened, so that nothing falls between what is asked for and what is told. */
  async begin(): Promise<void> {
    this.stop();
    const mine = this.#begun;
    const isOutdated = () => mine !== this.#begun;
    const failure = await this.#ask(isOutdated);
    if (isOutdated()) return;
    this.#done(failure);
    if (failure !== null) this.#retry = setTimeout(() => void this.begin(), RETRY_MS);
  }

  stop(): void {
    this.#begun += 1;
    clearTimeout(this.#retry);
  }
}

const ASKED_AT_ONCE = 6;

/** Asks for each, a few at a time, until all have been asked for or it is outdated. */
export async function askForEach<Item>(
  items: readonly Item[],
  ask: (item: Item) => Promise<void>,
  isOutdated: () => boolean,
): Promise<void> {
  const left = [...items];
  while (left.length > 0 && !isOutdated()) await Promise.all(left.splice(0, ASKED_AT_ONCE).map(ask));
}

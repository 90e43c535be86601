import { type ReadonlySignal, signal } from '@preact/signals';

/** A map that is published as a signal. It is copied once for all the changes between two publications. */
export class Table<Key, Value> {
  readonly #published = signal<ReadonlyMap<Key, Value>>(new Map());
  #draft: Map<Key, Value> | null = null;

  get published(): ReadonlySignal<ReadonlyMap<Key, Value>> {
    return this.#published;
  }

  /** With the changes that aren't published yet. */
  get current(): ReadonlyMap<Key, Value> {
    return this.#draft ?? this.#published.peek();
  }

  set(key: Key, value: Value): void {
    this.#copy().set(key, value);
  }

  delete(key: Key): void {
    if (this.current.has(key)) this.#copy().delete(key);
  }

  clear(): void {
    this.#draft = new Map();
  }

  publish(): void {
    if (this.#draft !== null) this.#published.value = this.#draft;
    this.#draft = null;
  }

  #copy(): Map<Key, Value> {
    this.#draft ??= new Map(this.#published.peek());
    return this.#draft;
  }
}

/** A queue with access by position; removing from the front is cheap however long it is. */
export class Deque<Item> {
  #items: (Item | undefined)[] = [];
  #first = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  at(index: number): Item | undefined {
    return index < 0 ? undefined : this.#items[this.#first + index];
  }

  last(): Item | undefined {
    return this.at(this.length - 1);
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  /** Replaces the first item, if there is one. */
  replaceFirst(item: Item): void {
    if (this.length > 0) this.#items[this.#first] = item;
  }

  shift(): Item | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#first];
    // The slot is emptied so that its value can be collected before the array is compacted.
    this.#items[this.#first] = undefined;
    this.#first += 1;
    if (this.#first > 1024 && this.#first * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }
}

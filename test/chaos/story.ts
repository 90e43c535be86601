/** What happened in a round, in order, and what was wrong: for who has to find out why. */

export class Story {
  readonly #since = performance.now();
  readonly #lines: string[] = [];
  readonly #complaints = new Set<string>();

  tell(what: string): void {
    const seconds = (performance.now() - this.#since) / 1000;
    this.#lines.push(`${seconds.toFixed(2).padStart(7)} s  ${what}`);
  }

  /** Something is not as it should be. */
  complain(what: string): void {
    if (this.#complaints.has(what)) return;
    this.#complaints.add(what);
    this.tell(`WRONG: ${what}`);
  }

  get complaints(): readonly string[] {
    return [...this.#complaints];
  }

  get text(): string {
    return this.#lines.join('\n');
  }
}

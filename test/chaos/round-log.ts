/** What happened in a round, in order, and what was wrong: for who has to find out why. */

export class RoundLog {
  readonly #since = performance.now();
  readonly #lines: string[] = [];
  readonly #failures = new Set<string>();

  write(what: string): void {
    const seconds = (performance.now() - this.#since) / 1000;
    this.#lines.push(`${seconds.toFixed(2).padStart(7)} s  ${what}`);
  }

  /** Something is not as it should be. */
  fail(what: string): void {
    if (this.#failures.has(what)) return;
    this.#failures.add(what);
    this.write(`WRONG: ${what}`);
  }

  get failures(): readonly string[] {
    return [...this.#failures];
  }

  get text(): string {
    return this.#lines.join('\n');
  }
}

/** What the demo expects, counted: nothing that it says happened is taken on trust. */
import type { Reporter } from './reporter.ts';

export class Checks {
  readonly #reporter: Reporter;
  passed = 0;
  failed = 0;

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  /** @param detail what was found instead, shown when it does not hold */
  that(text: string, holds: boolean, detail: string | null = null): void {
    if (holds) this.passed += 1;
    else this.failed += 1;
    this.#reporter.check(text, holds, detail);
  }

  equal(text: string, found: unknown, expected: unknown): void {
    this.that(text, found === expected, `expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`);
  }
}

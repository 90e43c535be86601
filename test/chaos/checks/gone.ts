/** Whoever is told `gone` may rely on it: looks, all through a round, whether anything of such a run is alive. */
import type { Kill } from '#protocol/api';
import type { ChaosRun } from '../run.ts';
import type { Story } from '../story.ts';

export class GoneCheck {
  readonly #runs: readonly ChaosRun[];
  readonly #story: Story;
  readonly #seen = new Set<string>();

  constructor(runs: readonly ChaosRun[], story: Story) {
    this.#runs = runs;
    this.#story = story;
  }

  /** To be called with what has just been heard of kills. */
  look(kills: readonly Kill[]): void {
    for (const kill of kills)
      for (const target of kill.targets) {
        const key = `${kill.id} ${target.run}`;
        if (target.state !== 'gone' || target.survivors.length > 0 || target.unnamed_survivors || this.#seen.has(key))
          continue;
        this.#seen.add(key);
        const run = this.#runs.find(({ id }) => id === target.run);
        const alive = run?.processes() ?? [];
        if (alive.length > 0)
          this.#story.complain(`the kill ${kill.id} says gone of ${run?.name}, and ${alive} (pids) are alive`);
      }
  }
}

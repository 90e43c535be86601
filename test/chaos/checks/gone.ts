/** `gone` must be true: looks all through a round whether a process of such a run is alive. */
import type { Kill } from '#protocol/api';
import type { RoundLog } from '../round-log.ts';
import type { ChaosRun } from '../run.ts';

export class GoneCheck {
  readonly #runs: readonly ChaosRun[];
  readonly #log: RoundLog;
  readonly #seen = new Set<string>();

  constructor(runs: readonly ChaosRun[], log: RoundLog) {
    this.#runs = runs;
    this.#log = log;
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
          this.#log.fail(`the kill ${kill.id} says gone of ${run?.name}, and ${alive} (pids) are alive`);
      }
  }
}

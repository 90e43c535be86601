/** What active brakes and maintenance silence. They are in D1; if D1 is away, what it said last counts. */
import type { Occurrence } from '#protocol/alerts';
import { activeBrakes, type BrakeRecord, isBraked } from '../../shared/d1/brakes.ts';
import { log } from '../../shared/log.ts';
import type { AlertsContext } from './alerts-context.ts';

/** What is kept of a brake. */
type Silence = Pick<BrakeRecord, 'jobs' | 'machines' | 'until' | 'createdAt'>;

const KEY = 'brakes';

export class Silences {
  readonly #alerts: AlertsContext;

  constructor(alerts: AlertsContext) {
    this.#alerts = alerts;
  }

  /**
   * Which occurrences since a time are silenced. Also by what has ended meanwhile: a message may be held back for longer than
   * that. Never rejects.
   */
  async since(time: number): Promise<(occurrence: Occurrence) => boolean> {
    const now = Date.now();
    const brakes = await this.#load(Math.min(time, now));
    return ({ kind, job, machine, at }) =>
      kind !== 'channel_broken' &&
      // A brake of some machines does not silence what is said of the job as a whole.
      brakes.some(
        (brake) => brake.until > at && (brake.until > now || brake.createdAt <= at) && isBraked(brake, job, machine),
      );
  }

  async #load(since: number): Promise<readonly Silence[]> {
    const { kv } = this.#alerts.state.storage;
    const known = kv.get<readonly Silence[]>(KEY) ?? [];
    try {
      const active = await activeBrakes(this.#alerts.env.DB, since);
      const brakes: Silence[] = active.map(({ jobs, machines, until, createdAt }) => ({
        jobs,
        machines,
        until,
        createdAt,
      }));
      if (JSON.stringify(brakes) !== JSON.stringify(known)) kv.put(KEY, brakes);
      return brakes;
    } catch (error) {
      log.error('brakes_unknown', error, { known: known.length });
      return known;
    }
  }
}

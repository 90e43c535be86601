/**
 * What the clock on the wall shows in a time zone, as the milliseconds since 1970 at which a clock in UTC shows the same.
 *
 * The zones come from the runtime (Intl), which is updated with it: nothing here knows a rule of any zone.
 */

const DAY_MS = 86_400_000;
const SECOND_MS = 1_000;

export class WallClock {
  readonly #format: Intl.DateTimeFormat;

  /** @throws RangeError if the runtime does not know the zone */
  constructor(zone: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  }

  /** How far the zone is ahead of UTC at an instant. */
  offsetAt(instant: number): number {
    const whole = Math.floor(instant / SECOND_MS) * SECOND_MS;
    const parts = new Map(this.#format.formatToParts(whole).map(({ type, value }) => [type, Number(value)]));
    const of = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
    return Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second')) - whole;
  }

  /** What the clock shows at an instant. */
  at(instant: number): number {
    return instant + this.offsetAt(instant);
  }

  /**
   * When the clock first shows a time. If the clock is put forward past it, when that happens.
   *
   * Assumes at most one change of the offset within two days.
   */
  firstInstantOf(wall: number): number {
    const [before, after] = [this.offsetAt(wall - DAY_MS), this.offsetAt(wall + DAY_MS)];
    const first = wall - before;
    if (before === after || this.offsetAt(first) === before) return first;
    const second = wall - after;
    return this.offsetAt(second) === after ? second : (this.changeIn(wall - DAY_MS, wall + DAY_MS) ?? second);
  }

  /** The first instant at which the offset differs from that at `from`, if it does at `to`; null if it doesn't. */
  changeIn(from: number, to: number): number | null {
    const offset = this.offsetAt(from);
    if (this.offsetAt(to) === offset) return null;
    let [same, changed] = [Math.floor(from / SECOND_MS), Math.floor(to / SECOND_MS)];
    while (changed - same > 1) {
      const middle = Math.floor((same + changed) / 2);
      if (this.offsetAt(middle * SECOND_MS) === offset) same = middle;
      else changed = middle;
    }
    return changed * SECOND_MS;
  }
}

/**
 * When a cron expression is due.
 *
 * A library reads the expression and lists the times by the clock on the wall. What happens when that clock is put forward
 * or back is decided here, as by the cron of Linux distributions, whose jobs are judged by it: see `nextAfter`.
 */
import { Cron } from 'croner';
import { WallClock } from './wall-clock.ts';

/** Why an expression or a zone is refused: a whole sentence for users. */
export class ScheduleError extends Error {
  override readonly name = 'ScheduleError';
}

const NAMED: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;
/** Enough for a time that the clock skips year after year: such an expression never fires. */
const MAX_STEPS = 50;

export class CronSchedule {
  readonly #cron: Cron;
  readonly #clock: WallClock;
  /** Whether it is due at intervals, and not at certain hours. */
  readonly #isInterval: boolean;

  /** @throws ScheduleError if it can't be read; an expression that never fires can be */
  constructor(expression: string, zone: string) {
    const fields = fieldsOf(expression);
    const [minute, hour, dayOfMonth, , dayOfWeek] = fields;
    this.#clock = clockOf(zone);
    this.#isInterval = isWildcard(minute) || isWildcard(hour);
    // As in cron: with a wildcard in one of them, such as `*/2`, a day must match both, and otherwise either.
    this.#cron = parse(expression, fields, isWildcard(dayOfMonth) || isWildcard(dayOfWeek));
  }

  /**
   * The first time after an instant at which it is due; null if it never is.
   *
   * When the clock is put forward, what the skipped hour had is due at once. When it is put back, what the repeated hour has
   * is due the first time only. An interval, with a wildcard as its minute or hour, goes on as if nothing had happened.
   */
  nextAfter(instant: number): number | null {
    return this.#isInterval ? this.#nextOfInterval(instant) : this.#nextOfTimes(instant);
  }

  #nextOfTimes(instant: number): number | null {
    let wall = this.#wallFrom(this.#clock.at(instant));
    while (wall !== null) {
      const due = this.#clock.firstInstantOf(wall);
      if (due > instant) return due;
      // The clock shows this time for the second time.
      wall = this.#wallFrom(wall + SECOND_MS);
    }
    return null;
  }

  #nextOfInterval(instant: number): number | null {
    let start = (Math.floor(instant / SECOND_MS) + 1) * SECOND_MS;
    for (let step = 0; step < MAX_STEPS; step++) {
      const offset = this.#clock.offsetAt(start);
      const wall = this.#wallFrom(start + offset);
      if (wall === null) return null;
      const due = wall - offset;
      const change = this.#clock.changeIn(start, Math.min(due, start + DAY_MS));
      if (change === null && due <= start + DAY_MS) return due;
      // The clock may be changed on the way, and show another time by then.
      start = change ?? due - DAY_MS;
    }
    return null;
  }

  /** The first time by the clock on the wall that is no earlier than this one. */
  #wallFrom(wall: number): number | null {
    return this.#cron.nextRun(new Date(wall - SECOND_MS))?.getTime() ?? null;
  }
}

type Fields = readonly [minute: string, hour: string, dayOfMonth: string, month: string, dayOfWeek: string];

function fieldsOf(expression: string): Fields {
  const trimmed = expression.trim();
  if (trimmed === '@reboot') throw new ScheduleError('The schedule @reboot has no time at which it is due.');
  if (trimmed.startsWith('@') && NAMED[trimmed.toLowerCase()] === undefined) {
    throw new ScheduleError(
      `The schedule ${quoted(expression)} is unknown: use one of ${Object.keys(NAMED).join(', ')}.`,
    );
  }
  const fields = (NAMED[trimmed.toLowerCase()] ?? trimmed).split(/\s+/);
  const [minute, hour, dayOfMonth, month, dayOfWeek] = fields;
  if (
    minute === undefined ||
    hour === undefined ||
    dayOfMonth === undefined ||
    month === undefined ||
    dayOfWeek === undefined ||
    fields.length > 5
  ) {
    throw new ScheduleError(
      `The schedule ${quoted(expression)} must have five fields: minute, hour, day of month, month and day of week.`,
    );
  }
  return [minute, hour, dayOfMonth, month, dayOfWeek];
}

function parse(expression: string, fields: Fields, domAndDow: boolean): Cron {
  try {
    // In UTC: it is not asked for instants, but for what the clock shows.
    return new Cron(fields.join(' '), { paused: true, mode: '5-part', utcOffset: 0, domAndDow });
  } catch (error) {
    // It throws a TypeError or a RangeError for what it can't read, and nothing else.
    const reason = error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error);
    throw new ScheduleError(`The schedule ${quoted(expression)} can't be read: ${reason}.`);
  }
}

function clockOf(zone: string): WallClock {
  try {
    return new WallClock(zone);
  } catch {
    // Intl knows no such zone.
    throw new ScheduleError(`The time zone ${quoted(zone)} is unknown: use a name such as Europe/Berlin or UTC.`);
  }
}

function isWildcard(field: string): boolean {
  return field.startsWith('*') || field.startsWith('?');
}

function quoted(text: string): string {
  return `"${text}"`;
}

/** The flags of `leash run` that say when runs are expected. What a schedule means is for the control plane to say. */
import type { Expected } from '#protocol/expectations';
import { isTimeZone, localTimeZone } from '../host/time-zone.ts';
import { duration, UsageError } from './flags.ts';

interface ExpectedFlags {
  readonly every?: string | undefined;
  readonly schedule?: string | undefined;
  readonly tz?: string | undefined;
  readonly 'late-after'?: string | undefined;
  readonly 'slow-after'?: string | undefined;
}

const SECOND_MS = 1_000;
const LEAST_EVERY_MS = 10 * SECOND_MS;
const MAX_MS = 366 * 24 * 60 * 60 * SECOND_MS;
const MAX_SCHEDULE_CHARS = 200;

/** How many days a month has at most. */
const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;
const MONTHS: readonly string[] = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** @returns null without such flags @throws {UsageError} */
export function readExpected(flags: ExpectedFlags, env: NodeJS.ProcessEnv): Expected | null {
  const everyMs = span('--every', flags.every, LEAST_EVERY_MS, '10s');
  const lateAfterMs = span('--late-after', flags['late-after'], SECOND_MS, '1s');
  const slowAfterMs = span('--slow-after', flags['slow-after'], SECOND_MS, '1s');
  const schedule = readSchedule(flags.schedule);
  if (everyMs !== null && schedule !== null) throw new UsageError('--every and --schedule are mutually exclusive');
  if (flags.tz !== undefined && schedule === null) throw new UsageError('--tz requires --schedule');
  if (lateAfterMs !== null && everyMs === null && schedule === null) {
    throw new UsageError('--late-after requires --every or --schedule');
  }
  if (everyMs === null && schedule === null && slowAfterMs === null) return null;
  return {
    every_ms: everyMs,
    schedule,
    time_zone: schedule === null ? null : zone(flags.tz, env),
    late_after_ms: lateAfterMs,
    slow_after_ms: slowAfterMs,
  };
}

/** 0 is as good as no flag. */
function span(option: string, text: string | undefined, leastMs: number, least: string): number | null {
  const ms = duration(option, text) || null;
  if (ms !== null && ms < leastMs) throw new UsageError(`${option} must be at least ${least}`);
  if (ms !== null && ms > MAX_MS) throw new UsageError(`${option} must be at most 366d`);
  return ms;
}

function readSchedule(text: string | undefined): string | null {
  if (text === undefined) return null;
  const fields = text.trim().split(/\s+/);
  const isName = fields.length === 1 && /^@[a-z]+$/i.test(text.trim());
  if ((fields.length !== 5 && !isName) || text.length > MAX_SCHEDULE_CHARS) {
    throw new UsageError(
      `--schedule ${JSON.stringify(text)}: must have five fields (minute, hour, day of month, month, day of week) or be a name such as @daily`,
    );
  }
  if (/^@reboot$/i.test(text.trim())) throw new UsageError('--schedule @reboot: it has no time at which it is due');
  if (neverFires(fields))
    throw new UsageError(`--schedule ${JSON.stringify(text)}: no month has such a day, so it never fires`);
  return text.trim();
}

/** Whether its days are numbers that none of its months has. */
function neverFires([, , day = '*', month = '*', weekday = '*']: readonly string[]): boolean {
  if (!/^[\d,]+$/.test(day) || !/^[a-z\d,]+$/i.test(month) || weekday !== '*') return false;
  const most = Math.max(...month.split(',').map((name) => DAYS[monthIndex(name)] ?? 31));
  return day.split(',').every((number) => Number(number) > most);
}

function monthIndex(name: string): number {
  return /^\d+$/.test(name) ? Number(name) - 1 : MONTHS.indexOf(name.toLowerCase());
}

function zone(name: string | undefined, env: NodeJS.ProcessEnv): string {
  if (name === undefined) return localTimeZone(env);
  if (isTimeZone(name) === false) {
    throw new UsageError(`--tz ${name}: unknown time zone; use a name such as Europe/Berlin or UTC`);
  }
  return name;
}

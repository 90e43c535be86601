/** What is typed into the form of an expectation, and what is wrong with it. Pure. */
import type { Expected } from '#protocol/expectations';
import { formatDuration } from '#shared/format-duration';
import { parseDuration } from '#shared/parse-duration';
import type { Problems, ReadForm } from '../../hooks/use-form.ts';

export interface ExpectationForm {
  /** Empty: any machine. */
  readonly machine: string;
  readonly kind: 'every' | 'schedule' | 'none';
  readonly every: string;
  readonly schedule: string;
  readonly zone: string;
  readonly lateAfter: string;
  readonly slowAfter: string;
}

export type FormField = keyof ExpectationForm;

export function formOf(machine: string | null, expected: Expected | null, localZone: string): ExpectationForm {
  const text = (ms: number | null | undefined) => (ms == null ? '' : formatDuration(ms).replace(' ', ''));
  const schedule = expected?.schedule ?? null;
  return {
    machine: machine ?? '',
    kind: schedule !== null ? 'schedule' : expected === null || expected.every_ms !== null ? 'every' : 'none',
    every: text(expected?.every_ms),
    schedule: schedule ?? '',
    zone: expected?.time_zone ?? localZone,
    lateAfter: text(expected?.late_after_ms),
    slowAfter: text(expected?.slow_after_ms),
  };
}

export function readForm(form: ExpectationForm): ReadForm<Expected, FormField> {
  const problems: Problems<FormField> = {};
  const duration = (field: 'every' | 'lateAfter' | 'slowAfter', leastMs: number, isRequired = false) => {
    const text = form[field].trim();
    if (text === '' && !isRequired) return null;
    const ms = readDuration(text);
    if (ms === null) problems[field] = 'Enter a duration such as 90s, 15m, 2h or 1d.';
    else if (ms < leastMs) problems[field] = `Enter at least ${formatDuration(leastMs)}.`;
    return ms;
  };
  const isScheduled = form.kind === 'schedule';
  const schedule = form.schedule.trim();
  if (isScheduled && schedule === '') problems.schedule = 'Enter a cron expression such as 0 3 * * *.';
  const value = {
    every_ms: form.kind === 'every' ? duration('every', 10_000, true) : null,
    schedule: isScheduled ? schedule : null,
    time_zone: isScheduled ? form.zone.trim() || 'UTC' : null,
    late_after_ms: form.kind === 'none' ? null : duration('lateAfter', 1_000),
    slow_after_ms: duration('slowAfter', 1_000),
  };
  return Object.keys(problems).length === 0 ? { ok: true, value } : { ok: false, problems };
}

/** Also with two units, such as 1h30m. */
function readDuration(text: string): number | null {
  const parts = text.match(/[\d.]+(?:ms|s|m|h|d)?/g) ?? [];
  if (parts.length === 0 || parts.join('') !== text.replaceAll(' ', '')) return null;
  const ms = parts.map(parseDuration);
  return ms.some((part) => part === null) ? null : ms.reduce<number>((sum, part) => sum + (part ?? 0), 0);
}

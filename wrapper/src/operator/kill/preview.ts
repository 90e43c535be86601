/** What a kill will hit, in words. Pure. */
import type { Run } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { signalsText } from '../kill-text.ts';
import type { KillOptions, Selection } from './selection.ts';

export function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** `3 runs of backup`, `3 runs of 2 jobs`. */
export function runsText(runs: readonly Pick<Run, 'job'>[]): string {
  const jobs = new Set(runs.map(({ job }) => job));
  const [job = ''] = jobs;
  return `${countText(runs.length, 'run')} of ${jobs.size === 1 ? job : countText(jobs.size, 'job')}`;
}

/** `SIGTERM, then SIGKILL after 5s`. What isn't chosen is each run's own. */
export function mannerText(runs: readonly Pick<Run, 'kill_signal' | 'grace_ms'>[], options: KillOptions): string {
  const signal = options.signal ?? onlyOne(runs.map((run) => run.kill_signal));
  const graceMs =
    options.grace_seconds === undefined
      ? onlyOne(runs.map((run) => run.grace_ms))
      : Math.round(options.grace_seconds * 1_000);
  return signalsText(signal, graceMs);
}

function onlyOne<Value>(values: readonly Value[]): Value | null {
  const [first = null] = values;
  return values.every((value) => value === first) ? first : null;
}

/** What a list of runs doesn't say. */
export function previewNotes({ runs, longLost }: Selection, options: KillOptions): string[] {
  const away = runs.filter(({ state, connected }) => isLive(state) && !connected).length;
  const lost = runs.filter(({ state, final }) => state === 'lost' && !final).length;
  const ended = runs.filter(({ final }) => final).length;
  return [
    ...(away > 0 ? [`${areText(away)} disconnected, and killed on reconnecting.`] : []),
    ...(lost > 0 ? [`${areText(lost)} lost: killed if the machine comes back.`] : []),
    ...(ended > 0 ? [`${ended} ended before: what ${ended === 1 ? 'it' : 'they'} left running is killed.`] : []),
    ...(options.include === 'related' ? ['Related processes, and those with LEASH_KEEP=1, are killed as well.'] : []),
    ...(longLost.length > 0
      ? [
          `Not included: ${countText(longLost.length, 'run')} lost for more than a day (${longLost.map(({ id, machine }) => `${id} on ${machine}`).join(', ')}). To include one, name it by its id.`,
        ]
      : []),
  ];
}

function areText(count: number): string {
  return `${count} of them ${count === 1 ? 'is' : 'are'}`;
}

/** What a kill by name hits besides what is listed. */
export function lateText(what: string): string {
  return `It also kills any other run of ${what} that has started by now and connects within 10 minutes.`;
}

/** What the measurements of the page share: made-up runs that the page takes for the control plane's, and how smoothly it draws. */
import type { CDPSession, Page } from 'playwright-core';
import type { Run } from '#protocol/api';
import { makeRun } from '../dashboard/test/make.ts';

export function runId(number: number): string {
  return `01J${String(number).padStart(23, '0')}`;
}

export function timeOf(at: number): string {
  return new Date(at).toISOString();
}

export function jobName(index: number): string {
  return `job-${String(index).padStart(3, '0')}`;
}

export function machineName(index: number): string {
  return `m-${String(index).padStart(4, '0')}.example.com`;
}

/** A run that lives, unless it is said otherwise. */
export function madeUpRun(given: Pick<Run, 'id' | 'job' | 'machine' | 'started_at'> & Partial<Run>): Run {
  return makeRun({ instance: `i-${given.id}`, command_line: `sh -c 'work ${given.id}'`, ...given });
}

/** What was done to the page in words: the times between its frames meanwhile, and how long it worked. */
export async function whileBusy(page: Page, devtools: CDPSession, act: () => Promise<void>): Promise<string> {
  await page.evaluate(startFrames);
  const stop = await traceTasks(devtools);
  await act();
  const tasks = await stop();
  return `${frames(await page.evaluate(stopFrames))}; ${tasks}`;
}

interface TraceEvent {
  readonly name: string;
  readonly tid: number;
  /** By the clock of the thread, in microseconds. */
  readonly tdur?: number;
  readonly args: { readonly name?: string };
}

/**
 * How long the page's main thread works, by the clock of the thread: on a computer that is busy with other things the
 * time of day says more about those.
 *
 * @returns ends it, and says what was found in words
 */
export async function traceTasks(devtools: CDPSession): Promise<() => Promise<string>> {
  const events: TraceEvent[] = [];
  const take = ({ value }: { readonly value: readonly object[] }) => {
    events.push(...(value as readonly TraceEvent[]));
  };
  devtools.on('Tracing.dataCollected', take);
  await devtools.send('Tracing.start', {
    traceConfig: { includedCategories: ['disabled-by-default-devtools.timeline'] },
  });
  return async () => {
    const complete = new Promise((resolve) => devtools.once('Tracing.tracingComplete', resolve));
    await devtools.send('Tracing.end');
    await complete;
    devtools.off('Tracing.dataCollected', take);
    const mains = events.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain');
    const isMain = new Set(mains.map(({ tid }) => tid));
    const tasks = events.filter(({ name, tid }) => name === 'RunTask' && isMain.has(tid));
    const times = tasks.map(({ tdur = 0 }) => tdur / 1000);
    const longest = Math.round(times.reduce((most, ms) => Math.max(most, ms), 0));
    const all = Math.round(times.reduce((sum, ms) => sum + ms, 0));
    return `works for ${all} ms, at a stretch for up to ${longest} ms (${times.filter((ms) => ms >= 50).length} times for 50 ms or more)`;
  };
}

function frames(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(0);
  return `a frame every ${at(0.5)} ms (median), ${at(0.95)} ms (19 of 20), ${at(1)} ms (worst)`;
}

/** Runs in the page: notes the time between frames, until it is told to stop. */
function startFrames(): void {
  const times: number[] = [];
  let last = performance.now();
  const onFrame = () => {
    const now = performance.now();
    times.push(now - last);
    last = now;
    if (!Reflect.has(window, 'stopFrames')) requestAnimationFrame(onFrame);
  };
  Reflect.deleteProperty(window, 'stopFrames');
  Reflect.set(window, 'frameTimes', times);
  requestAnimationFrame(onFrame);
}

/** Runs in the page. */
async function stopFrames(): Promise<number[]> {
  await new Promise(requestAnimationFrame);
  Reflect.set(window, 'stopFrames', true);
  return Reflect.get(window, 'frameTimes');
}

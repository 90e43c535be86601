/** How smoothly a page draws while something is done to it, and how long it works for that. */
import type { CDPSession, Page } from 'playwright-core';
import { ms, quantilesMs } from '../report/quantity.ts';
import type { Row } from '../report/result.ts';

export interface Work {
  /** Of the page's main thread, by its own clock. */
  readonly totalMs: number;
  readonly longestTaskMs: number;
}

export interface Busy extends Work {
  readonly what: string;
  /** The times between frames. */
  readonly frameMs: readonly number[];
}

export const BUSY_COLUMNS = ['frame p50', 'p95', 'worst', 'works', 'longest task'] as const;

export function busyRow({ what, frameMs, totalMs, longestTaskMs }: Busy): Row {
  return { name: what, cells: [...quantilesMs(frameMs, 0.5, 0.95, 1), ms(totalMs), ms(longestTaskMs)] };
}

/** What the page does meanwhile. */
export async function whileBusy(
  page: Page,
  devtools: CDPSession,
  what: string,
  act: () => Promise<void>,
): Promise<Busy> {
  await page.evaluate(startFrames);
  const stop = await traceTasks(devtools);
  await act();
  const work = await stop();
  return { what, frameMs: await page.evaluate(stopFrames), ...work };
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
 * @returns ends it
 */
export async function traceTasks(devtools: CDPSession): Promise<() => Promise<Work>> {
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
    return {
      totalMs: times.reduce((sum, ms) => sum + ms, 0),
      longestTaskMs: times.reduce((most, ms) => Math.max(most, ms), 0),
    };
  };
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

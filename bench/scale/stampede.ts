/** One moment in which all wrappers connect, while people kill runs that have. */
import { setTimeout as sleep } from 'node:timers/promises';
import { withTimeout } from '#shared/with-timeout';
import type { BenchPlane } from '../measure/bench-plane.ts';
import type { Wrapper } from './crowd-messages.ts';
import type { Herd } from './herd.ts';

const KILL_EVERY_MS = 50;
/** However quickly all connect, kills are requested for at least this long. */
const LEAST_KILLING_MS = 3_000;
/** The others are needed to connect again. */
const MOST_KILLED = 1 / 4;
/** Then it is given up. */
const LIMIT_MS = 60_000;
/** No caller waits longer for a kill's 202. */
const CALL_LIMIT_MS = 30_000;
/** A kill of a run that has just connected must not find it disconnected again: that measures something else. */
const SETTLE_LIMIT_MS = 30_000;

/** Milliseconds since the POST; null for what didn't come. */
export interface StampedeKill {
  readonly responseMs: number | null;
  readonly receivedMs: number | null;
}

export interface Stampede {
  readonly expected: number;
  /** Since all began to connect, when each had its `ack start`. */
  readonly startedMs: readonly number[];
  readonly kills: readonly StampedeKill[];
  readonly failures: ReadonlyMap<string, number>;
  /** How often a wrapper was asked to wait. */
  readonly waits: number;
}

/** @param begin has all of them connect, and says when */
export async function stampede(plane: BenchPlane, herd: Herd, begin: () => number): Promise<Stampede> {
  const expected = herd.alive.length;
  const byRun = new Map(herd.alive.map((wrapper) => [wrapper.run, wrapper]));
  const beganAt = begin();
  const kills: { readonly run: string; readonly requestedAt: number; readonly response: Promise<number | null> }[] = [];
  const isOver = () => herd.started.size >= expected && Date.now() - beganAt > LEAST_KILLING_MS;
  while (!isOver() && Date.now() - beganAt < LIMIT_MS) {
    const victim = anyOf([...herd.started.keys()].filter((run) => byRun.has(run)));
    const wrapper = victim === null ? undefined : byRun.get(victim);
    if (wrapper !== undefined && kills.length < MOST_KILLED * expected) {
      byRun.delete(wrapper.run);
      kills.push({ run: wrapper.run, requestedAt: Date.now(), response: kill(plane, wrapper) });
    }
    await sleep(KILL_EVERY_MS);
  }
  const responses = await Promise.all(kills.map(({ response }) => response));
  const deadline = Date.now() + SETTLE_LIMIT_MS;
  while (kills.some(({ run }) => !herd.settled.has(run)) && Date.now() < deadline) await sleep(KILL_EVERY_MS);
  return {
    expected,
    startedMs: [...herd.started.values()].map((at) => at - beganAt),
    kills: kills.map(({ run, requestedAt }, index) => {
      const receivedAt = herd.killed.get(run) ?? null;
      return {
        responseMs: responses[index] ?? null,
        receivedMs: receivedAt === null ? null : receivedAt - requestedAt,
      };
    }),
    failures: new Map(herd.failures),
    waits: herd.waits,
  };
}

function anyOf(runs: readonly string[]): string | null {
  return runs[Math.floor(Math.random() * runs.length)] ?? null;
}

/** @returns how long the 202 took; null if there was none */
async function kill(plane: BenchPlane, { job, run }: Wrapper): Promise<number | null> {
  const beganAt = Date.now();
  try {
    const request = plane.operator.request('POST', `/jobs/${job}/kill`, { run });
    const response = await withTimeout(request, CALL_LIMIT_MS, { what: 'the control plane' });
    await response.text();
    return response.ok ? Date.now() - beganAt : null;
  } catch {
    return null;
  }
}

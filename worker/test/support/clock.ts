/**
 * Time that passes only when a test advances it.
 *
 * Tests run in the isolate of the Worker and its objects, so these fakes apply to them too. However slow the machine is,
 * no limit of the code under test expires and no alarm fires before a test advances time. The runtime's own timestamps,
 * such as those of heartbeats, don't advance, which looks like a silent wrapper.
 */
import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { beforeEach, vi } from 'vitest';
import { env } from './env.ts';
import { jobObject } from './objects.ts';

/** Alarms must be set to times that the runtime never reaches. */
const NEVER_MS = 100 * 365 * 24 * 60 * 60 * 1000;

const TIMERS = ['setTimeout', 'clearTimeout'] as const;

/** Files that share a runtime share its classes. */
let areAlarmsHeld = false;

/** Stops timers, and lets only `runDurableObjectAlarm` fire alarms. */
export async function holdTime(): Promise<void> {
  await holdAlarms();
  beforeEach(holdTimers);
}

/** Stops `Date` in this file, too. */
export function useFakeDate(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date', ...TIMERS] });
  });
}

/** Advances time, and then fires the alarm of a job's object if it is due. */
export async function pass(job: string, ms: number): Promise<void> {
  vi.setSystemTime(Date.now() + ms);
  await runDurableObjectAlarm(jobObject(job));
}

/** Fires the timers of a job's object up to this time from now: they fire in the object. */
export function runTimers(job: string, ms: number): Promise<void> {
  return runInDurableObject(jobObject(job), () => void vi.advanceTimersByTime(ms));
}

/** Runs a function at another time, in a file whose `Date` is real otherwise. */
export async function at<Result>(time: number, what: () => Promise<Result>): Promise<Result> {
  vi.useFakeTimers({ toFake: ['Date', ...TIMERS], now: time });
  try {
    return await what();
  } finally {
    holdTimers();
  }
}

function holdTimers(): void {
  vi.useFakeTimers({ toFake: [...TIMERS] });
}

async function holdAlarms(): Promise<void> {
  if (areAlarmsHeld) return;
  areAlarmsHeld = true;
  // The class has no global name.
  await runInDurableObject(env.D1_GATEWAY.getByName('clock'), (_object, { storage }) => {
    const prototype: DurableObjectStorage = Object.getPrototypeOf(storage);
    const { setAlarm, getAlarm } = prototype;
    prototype.setAlarm = function (at, options) {
      return setAlarm.call(this, Number(at) + NEVER_MS, options);
    };
    prototype.getAlarm = async function (options) {
      const at = await getAlarm.call(this, options);
      return at === null ? null : at - NEVER_MS;
    };
  });
}

/**
 * Time that passes when a test says so, and at once.
 *
 * Tests run in the isolate of the Worker and its objects, so what is faked here is theirs too. However slow the machine
 * is, no limit of the code under test is over and no alarm rings before a test lets time pass. The runtime's own stamps,
 * as those of heartbeats, stay where they are, which is what a silent wrapper looks like.
 */
import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { beforeEach, vi } from 'vitest';
import { env } from './env.ts';
import { jobObject } from './objects.ts';

/** An alarm may not be set to a time that the runtime could live to see. */
const NEVER_MS = 100 * 365 * 24 * 60 * 60 * 1000;

const TIMERS = ['setTimeout', 'clearTimeout'] as const;

/** Files that share a runtime share its classes. */
let areAlarmsHeld = false;

/** From here on timers stand still, and alarms ring by `runDurableObjectAlarm` alone. */
export async function holdTime(): Promise<void> {
  await holdAlarms();
  beforeEach(holdTimers);
}

/** In this file `Date` stands still too. */
export function useFakeDate(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date', ...TIMERS] });
  });
}

/** Lets so much time pass, and then rings the alarm of a job's object if that is due. */
export async function pass(job: string, ms: number): Promise<void> {
  vi.setSystemTime(Date.now() + ms);
  await runDurableObjectAlarm(jobObject(job));
}

/** Does something as if it were that time, in a file whose `Date` goes on otherwise. */
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

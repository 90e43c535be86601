/**
 * Time that passes at once. Tests run in the isolate of the Worker and its objects, so a faked `Date` is theirs too; the
 * runtime's own stamps, as those of heartbeats, stay where they are, which is what a silent wrapper looks like.
 */
import { runDurableObjectAlarm } from 'cloudflare:test';
import { afterEach, beforeEach, vi } from 'vitest';
import { jobObject } from './objects.ts';

export function useFakeDate(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
}

/** Lets so much time pass, and then rings the alarm of a job's object if that is due. */
export async function pass(job: string, ms: number): Promise<void> {
  vi.setSystemTime(Date.now() + ms);
  await runDurableObjectAlarm(jobObject(job));
}

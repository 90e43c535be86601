import { describe, expect, test } from 'vitest';
import { afterClosing, closesAt, type OpenGroup, type RuleHistory } from '../durable/alerts/group-timing.ts';

const GROUP_MS = 5_000;
const MINUTE_MS = 60_000;
const NOTHING_YET: RuleHistory = { lastClosedAt: null, streak: 0 };

/** When the messages of a rule are sent whose occurrences arrive at these times. */
function sentAt(arrivals: readonly number[], isNews: (arrival: number) => boolean = () => false): number[] {
  const sent: number[] = [];
  let history = NOTHING_YET;
  let group: OpenGroup | null = null as OpenGroup | null;
  const closeUntil = (time: number) => {
    if (group === null) return;
    const at = Math.max(group.lastAt, closesAt(group, history, GROUP_MS));
    if (at > time) return;
    sent.push(at);
    history = afterClosing(group, history, at);
    group = null;
  };
  for (const at of arrivals) {
    closeUntil(at);
    group = { openedAt: group?.openedAt ?? at, lastAt: at, hasNews: (group?.hasNews ?? false) || isNews(at) };
  }
  closeUntil(Number.MAX_SAFE_INTEGER);
  return sent;
}

const every = (ms: number, until: number) => Array.from({ length: Math.floor(until / ms) }, (_, nth) => nth * ms);

describe('a group', () => {
  test('is sent a moment after its last occurrence', () => {
    expect(sentAt([0, 1_000, 4_000])).toEqual([9_000]);
  });

  test('that does not end is sent after six times as long', () => {
    expect(sentAt(every(1_000, 29_000))).toEqual([30_000]);
  });
});

describe('a rule that keeps firing', () => {
  test('waits longer between messages, and no longer than a quarter of an hour', () => {
    const sent = sentAt(every(MINUTE_MS, 3 * 60 * MINUTE_MS));
    const pauses = sent.slice(1).map((at, nth) => at - (sent[nth] ?? 0));
    expect(pauses.slice(0, 4)).toEqual([MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, 15 * MINUTE_MS]);
    expect(Math.max(...pauses)).toBe(15 * MINUTE_MS);
  });

  test('reports a job that is new to it within a minute', () => {
    const news = 40 * MINUTE_MS + 10_000;
    const arrivals = [...every(MINUTE_MS, 60 * MINUTE_MS), news].sort((one, other) => one - other);
    const sent = sentAt(arrivals, (at) => at === news);
    expect(sent.find((at) => at >= news)).toBeLessThanOrEqual(news + MINUTE_MS);
  });

  test('reports at once again after it was quiet', () => {
    const later = 60 * MINUTE_MS;
    expect(sentAt([...every(MINUTE_MS, 10 * MINUTE_MS), later]).at(-1)).toBe(later + GROUP_MS);
  });
});

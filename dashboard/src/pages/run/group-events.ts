/** Groups events that repeat, so that the list stays readable. Pure. */
import type { RunEvent } from '#protocol/api';
import { survivorsText } from '../../state/survivors.ts';

type EventOf<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>;

export type EventGroup =
  | { readonly kind: 'event'; readonly event: RunEvent }
  /** Bytes that are missing in several places, from the first time they were missed to the last. */
  | {
      readonly kind: 'gaps';
      readonly first: RunEvent;
      readonly last: RunEvent;
      readonly times: number;
      readonly bytes: number;
    }
  /** A link that broke and came back again and again. */
  | { readonly kind: 'flapping'; readonly first: RunEvent; readonly last: RunEvent; readonly times: number };

/** From this many disconnects on, a link counts as flapping. */
const FLAPS = 3;

export function groupEvents(all: readonly RunEvent[]): EventGroup[] {
  const events = withoutDuplicates(all);
  const groups: EventGroup[] = [];
  for (let at = 0; at < events.length; ) {
    const { group, length } = groupAt(events, at);
    if (group !== null) groups.push(group);
    at += length;
  }
  return groups;
}

function groupAt(events: readonly RunEvent[], at: number): { group: EventGroup | null; length: number } {
  const [first] = events.slice(at, at + 1);
  if (first === undefined) return { group: null, length: 1 };
  const gaps = takeGaps(events, at);
  if (gaps.length > 1) {
    const bytes = gaps.reduce((sum, { from, to }) => sum + to - from, 0);
    const last = gaps.at(-1) ?? first;
    return { group: { kind: 'gaps', first, last, times: gaps.length, bytes }, length: gaps.length };
  }
  const flaps = takeFlaps(events, at);
  if (flaps.length >= 2 * FLAPS) {
    const last = flaps.at(-1) ?? first;
    return { group: { kind: 'flapping', first, last, times: flaps.length / 2 }, length: flaps.length };
  }
  return { group: { kind: 'event', event: first }, length: 1 };
}

function takeGaps(events: readonly RunEvent[], from: number): EventOf<'output_gap'>[] {
  const taken: EventOf<'output_gap'>[] = [];
  for (let at = from; ; at += 1) {
    const event = events[at];
    if (event?.type !== 'output_gap') return taken;
    taken.push(event);
  }
}

/** Pairs of a broken link and its return, with nothing else between them. */
function takeFlaps(events: readonly RunEvent[], from: number): RunEvent[] {
  const taken: RunEvent[] = [];
  for (let at = from; ; at += 2) {
    const [broken, back] = [events[at], events[at + 1]];
    if (broken?.type !== 'disconnected' || back?.type !== 'connected') return taken;
    taken.push(broken, back);
  }
}

/** A wrapper reports a step once per kill in progress, and each report is an event: the step was taken once. */
function withoutDuplicates(events: readonly RunEvent[]): RunEvent[] {
  let seen: EventOf<'kill_progress'>[] = [];
  return events.filter((event) => {
    // A kill requested after the end is for what was left running.
    if (event.type === 'kill_requested' && seen.some(({ phase }) => phase === 'gone')) seen = [];
    if (event.type !== 'kill_progress') return true;
    if (seen.some((earlier) => isDuplicate(event, earlier))) return false;
    seen.push(event);
    return true;
  });
}

function isDuplicate(event: EventOf<'kill_progress'>, earlier: EventOf<'kill_progress'>): boolean {
  return (
    event.phase !== 'refused' &&
    event.phase === earlier.phase &&
    event.kill !== earlier.kill &&
    event.signal === earlier.signal &&
    survivorsText(event) === survivorsText(earlier)
  );
}

/** A story that can be read: what happens over and over is told once, with how often. Pure. */
import type { RunEvent } from '#protocol/api';
import { survivorsText } from '../../state/survivors.ts';

type EventOf<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>;

export type Chapter =
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

/** A link that breaks so often is told as one that flaps. */
const FLAPS = 3;

export function chaptersOf(all: readonly RunEvent[]): Chapter[] {
  const events = withoutEchoes(all);
  const chapters: Chapter[] = [];
  for (let at = 0; at < events.length; ) {
    const { chapter, length } = chapterAt(events, at);
    if (chapter !== null) chapters.push(chapter);
    at += length;
  }
  return chapters;
}

function chapterAt(events: readonly RunEvent[], at: number): { chapter: Chapter | null; length: number } {
  const [first] = events.slice(at, at + 1);
  if (first === undefined) return { chapter: null, length: 1 };
  const gaps = takeGaps(events, at);
  if (gaps.length > 1) {
    const bytes = gaps.reduce((sum, { from, to }) => sum + to - from, 0);
    const last = gaps.at(-1) ?? first;
    return { chapter: { kind: 'gaps', first, last, times: gaps.length, bytes }, length: gaps.length };
  }
  const flaps = takeFlaps(events, at);
  if (flaps.length >= 2 * FLAPS) {
    const last = flaps.at(-1) ?? first;
    return { chapter: { kind: 'flapping', first, last, times: flaps.length / 2 }, length: flaps.length };
  }
  return { chapter: { kind: 'event', event: first }, length: 1 };
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

/** A machine tells each kill under way of a step, and each of them is stored: the step was taken once. */
function withoutEchoes(events: readonly RunEvent[]): RunEvent[] {
  let told: EventOf<'kill_progress'>[] = [];
  return events.filter((event) => {
    // What is ordered once all of it was told is another ending, of what was left.
    if (event.type === 'kill_requested' && told.some(({ phase }) => phase === 'gone')) told = [];
    if (event.type !== 'kill_progress') return true;
    if (told.some((earlier) => isEcho(event, earlier))) return false;
    told.push(event);
    return true;
  });
}

function isEcho(event: EventOf<'kill_progress'>, earlier: EventOf<'kill_progress'>): boolean {
  return (
    event.phase !== 'refused' &&
    event.phase === earlier.phase &&
    event.kill !== earlier.kill &&
    event.signal === earlier.signal &&
    survivorsText(event) === survivorsText(earlier)
  );
}

/** The hops of a kill on its way to one run: when it passed each, and how the bar of them is divided. */
import type { Kill, Target } from '#protocol/api';
import { formatDuration } from '#shared/format-duration';

export type HopName = 'stored' | 'sent' | 'received' | 'first_signal' | 'gone';

export interface Hop {
  readonly name: HopName;
  /** Since the kill was requested. */
  readonly atMs: number;
}

export const HOP_LABELS: Readonly<Record<HopName, string>> = {
  stored: 'Stored',
  sent: 'Sent',
  received: 'Received',
  first_signal: 'First signal',
  gone: 'All ended',
};

/** In the order of time: a kill may be on its way before it is stored. Old versions don't report all of them. */
export function hopsOf({ stored_ms }: Pick<Kill, 'stored_ms'>, { timing }: Pick<Target, 'timing'>): Hop[] {
  if (timing === null) return [];
  const times: readonly (readonly [HopName, number | null])[] = [
    ['stored', stored_ms],
    ['sent', timing.sent_ms],
    ['received', timing.received_ms],
    ['first_signal', timing.first_signal_ms],
    ['gone', timing.last_process_gone_ms],
  ];
  return times
    .flatMap(([name, atMs]) => (atMs === null ? [] : [{ name, atMs }]))
    .sort((first, second) => first.atMs - second.atMs);
}

export interface Segment {
  /** The hop at which it ends. */
  readonly name: HopName;
  /** Of the bar's length. */
  readonly share: number;
  /** Whether it is drawn shorter than it is. */
  readonly isCut: boolean;
}

/** A process may take seconds to end after a signal that took milliseconds to arrive: more of the bar would hide the rest. */
const MAX_LAST_SHARE = 0.4;

/** The parts of the bar, one for each hop, by how long it took. */
export function segmentsOf(hops: readonly Hop[]): Segment[] {
  const lengths = hops.map(({ atMs }, index) => atMs - (hops[index - 1]?.atMs ?? 0));
  const total = hops.at(-1)?.atMs ?? 0;
  if (total === 0) return [];
  const last = (lengths.at(-1) ?? 0) / total;
  const isCut = hops.at(-1)?.name === 'gone' && last > MAX_LAST_SHARE && last < 1;
  // The others keep their proportions.
  const scale = isCut ? (1 - MAX_LAST_SHARE) / (1 - last) : 1;
  return hops.map(({ name }, index) => {
    const isLast = index === hops.length - 1;
    const share = (lengths[index] ?? 0) / total;
    return { name, share: isCut && isLast ? MAX_LAST_SHARE : share * scale, isCut: isCut && isLast };
  });
}

/** `340ms`; what took less than one is not nothing. */
export function hopText(ms: number): string {
  return ms < 1 ? '<1ms' : formatDuration(ms);
}

/** When the first signals were sent: `after 9ms`, `after 9ms to 41ms`. Null while none is known. */
export function firstSignalText(targets: readonly Target[]): string | null {
  const times = targets.map(({ timing }) => timing?.first_signal_ms ?? null).filter((ms) => ms !== null);
  if (times.length === 0) return null;
  const [fastest, slowest] = [hopText(Math.min(...times)), hopText(Math.max(...times))];
  return fastest === slowest ? `after ${fastest}` : `after ${fastest} to ${slowest}`;
}

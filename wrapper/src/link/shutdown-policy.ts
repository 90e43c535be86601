/**
 * How long a run that has ended waits for the control plane: a cron line must not hang because that is slow.
 *
 * Only the time in which this process runs counts (clock/running-clock.ts): on a very busy machine, a control plane that
 * answers must not look slow. There is a bound in wall-clock time, too.
 */
import { MIB } from '#protocol/limits';
import type { LinkState } from './link.ts';

interface WaitLimits {
  /** While the control plane is out of reach. */
  readonly offlineMs: number;
  /** While the first attempt to connect, or to reconnect, is in progress. */
  readonly connectingMs: number;
  /** With a connection, since something was last stored. */
  readonly storingMs: number;
  /** In any case. */
  readonly longestMs: number;
}

/** In any case, in wall-clock time. */
export const LONGEST_WALL_MS = 30_000;
/** By then the rate at which much output is stored is known. */
const RATE_KNOWN_MS = 1_000;
const MUCH_BYTES = MIB;

/** Without a spool: what isn't reported now is lost. */
export const LIMITS_UNSPOOLED: WaitLimits = {
  offlineMs: 3_000,
  connectingMs: 3_000,
  storingMs: 5_000,
  longestMs: 10_000,
};

/** With a spool: what isn't reported now is reported from there. */
export const LIMITS_SPOOLED: WaitLimits = { offlineMs: 0, connectingMs: 3_000, storingMs: 2_000, longestMs: 5_000 };

export interface ShutdownSituation {
  readonly state: LinkState;
  readonly now: number;
  /** When the run ended. */
  readonly endedAt: number;
  /** How long ago that is in wall-clock time. */
  readonly wallMs: number;
  /** Bytes of output that are not stored: at the run's end, and now. */
  readonly unstoredAtEnd: number;
  readonly unstored: number;
  /** When the control plane last accepted us or stored something; null: never. */
  readonly progressAt: number | null;
  /** Whether the rest can be reported from a spool. */
  readonly spooled: boolean;
}

export type ShutdownDecision =
  | { readonly kind: 'exit'; readonly isAllStored: boolean }
  | { readonly kind: 'wait'; readonly until: number };

const EXIT_NOW: ShutdownDecision = { kind: 'exit', isAllStored: false };

/** Decides whether to exit now. All times are on one clock, in ms. */
export function decideShutdown(situation: ShutdownSituation): ShutdownDecision {
  const { state, now, endedAt, wallMs, progressAt, spooled } = situation;
  const { offlineMs, connectingMs, storingMs, longestMs } = spooled ? LIMITS_SPOOLED : LIMITS_UNSPOOLED;
  const since = Math.max(endedAt, progressAt ?? endedAt);
  const waitFor = (ms: number) => waitUntil(Math.min(since + ms, endedAt + longestMs), now);
  if (state !== 'all_stored' && wallMs >= LONGEST_WALL_MS) return EXIT_NOW;
  switch (state) {
    case 'all_stored':
      return { kind: 'exit', isAllStored: true };
    case 'given_up':
    case 'refused':
    case 'rejected':
      return EXIT_NOW;
    case 'connected':
      return isHopeless(situation, longestMs) ? EXIT_NOW : waitFor(storingMs);
    case 'connecting':
      return waitFor(connectingMs);
    case 'offline':
      return waitFor(offlineMs);
  }
}

/** Whether there is more than can be stored in the remaining time at the rate so far: then the spool is needed anyway. */
function isHopeless({ now, endedAt, spooled, unstored, unstoredAtEnd }: ShutdownSituation, longestMs: number): boolean {
  const elapsedMs = now - endedAt;
  if (!spooled || unstored < MUCH_BYTES || elapsedMs < RATE_KNOWN_MS) return false;
  const bytesPerMs = (unstoredAtEnd - unstored) / elapsedMs;
  return unstored > bytesPerMs * (longestMs - elapsedMs);
}

function waitUntil(until: number, now: number): ShutdownDecision {
  return now >= until ? EXIT_NOW : { kind: 'wait', until };
}

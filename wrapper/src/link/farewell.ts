/** How long a run that has ended waits for the control plane: a cron line must not hang because that is slow. */
import type { LinkState } from './link.ts';

interface Patience {
  /** While the control plane is out of reach. */
  readonly offlineMs: number;
  /** While the first attempt to reach it, or to reach it again, is under way. */
  readonly connectingMs: number;
  /** With a connection, since something was last stored. */
  readonly storingMs: number;
  /** However well it goes. */
  readonly longestMs: number;
}

/** What is not told now is lost. */
export const PATIENCE_UNSPOOLED: Patience = {
  offlineMs: 3_000,
  connectingMs: 3_000,
  storingMs: 5_000,
  longestMs: 10_000,
};

/** What is not told now is in the spool, and told from there. */
export const PATIENCE_SPOOLED: Patience = { offlineMs: 0, connectingMs: 3_000, storingMs: 2_000, longestMs: 5_000 };

export interface Situation {
  readonly state: LinkState;
  readonly now: number;
  /** When the run ended. */
  readonly endedAt: number;
  /** When the control plane last accepted us or stored something; null: never. */
  readonly progressAt: number | null;
  /** Whether what is left will be told from a spool. */
  readonly spooled: boolean;
}

export type Farewell =
  | { readonly kind: 'leave'; readonly told: boolean }
  | { readonly kind: 'wait'; readonly until: number };

/** Whether to go now. All moments are on one clock, in ms. */
export function decideFarewell({ state, now, endedAt, progressAt, spooled }: Situation): Farewell {
  const { offlineMs, connectingMs, storingMs, longestMs } = spooled ? PATIENCE_SPOOLED : PATIENCE_UNSPOOLED;
  const since = Math.max(endedAt, progressAt ?? endedAt);
  const waitFor = (ms: number) => waitUntil(Math.min(since + ms, endedAt + longestMs), now);
  switch (state) {
    case 'settled':
      return { kind: 'leave', told: true };
    case 'given_up':
    case 'refused':
    case 'rejected':
      return { kind: 'leave', told: false };
    case 'connected':
      return waitFor(storingMs);
    case 'connecting':
      return waitFor(connectingMs);
    case 'offline':
      return waitFor(offlineMs);
  }
}

function waitUntil(until: number, now: number): Farewell {
  return now >= until ? { kind: 'leave', told: false } : { kind: 'wait', until };
}

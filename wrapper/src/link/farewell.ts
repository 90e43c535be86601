/** How long a run that has ended waits for the control plane: a cron line must not hang because that is slow. */
import type { LinkState } from './link.ts';

/** Without a connection. */
export const OFFLINE_WAIT_MS = 3_000;
/** With a connection, since something was last stored. */
export const STORING_WAIT_MS = 5_000;
/** However well it goes. */
export const LONGEST_WAIT_MS = 10_000;

export interface Situation {
  readonly state: LinkState;
  readonly now: number;
  /** When the run ended. */
  readonly endedAt: number;
  /** When the control plane last accepted us or stored something; null: never. */
  readonly progressAt: number | null;
}

export type Farewell =
  | { readonly kind: 'leave'; readonly told: boolean }
  | { readonly kind: 'wait'; readonly until: number };

/** Whether to go now. All moments are on one clock, in ms. */
export function decideFarewell({ state, now, endedAt, progressAt }: Situation): Farewell {
  const since = Math.max(endedAt, progressAt ?? endedAt);
  switch (state) {
    case 'settled':
      return { kind: 'leave', told: true };
    case 'given_up':
    case 'refused':
      return { kind: 'leave', told: false };
    case 'connected':
      return waitUntil(Math.min(since + STORING_WAIT_MS, endedAt + LONGEST_WAIT_MS), now);
    case 'offline':
      return waitUntil(Math.min(since + OFFLINE_WAIT_MS, endedAt + LONGEST_WAIT_MS), now);
  }
}

function waitUntil(until: number, now: number): Farewell {
  return now >= until ? { kind: 'leave', told: false } : { kind: 'wait', until };
}

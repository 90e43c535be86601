/**
 * How far what is shown can be believed. That the link is open again is not enough: what happened while it was down has
 * still to be fetched. Pure.
 */
import type { LinkState } from '../api/watch-socket.ts';

export type Freshness =
  | LinkState
  /** The link is open, and what was missed is being fetched. @property since when the link was lost; null at first */
  | { readonly kind: 'catching_up'; readonly since: number | null };

/** What becomes of it as the link changes. That all is up to date is said by whoever has fetched it. */
export function freshnessWith(before: Freshness, link: LinkState): Freshness {
  const since = before.kind === 'down' || before.kind === 'catching_up' ? before.since : null;
  switch (link.kind) {
    case 'connecting':
      return link;
    case 'open':
      return { kind: 'catching_up', since };
    case 'down':
      return { kind: 'down', since: since ?? link.since };
  }
}

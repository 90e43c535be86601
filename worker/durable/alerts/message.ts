/** A message of an alert, before it is put into the words of a channel. */
import type { ChannelKind, Occurrence } from '#protocol/alerts';

/** Where a rule's messages go. */
export interface ChannelTarget {
  readonly kind: ChannelKind;
  /** Null: the service's own address. */
  readonly url: string | null;
  readonly secret: string | null;
}

/** One occurrence, with where to look at it. */
export interface ToldOccurrence extends Occurrence {
  /** The page of its run, or of its job. */
  readonly pageUrl: string;
  /** By which its run can be killed; null: the rule allows none, or the run isn't live. */
  readonly killUrl: string | null;
}

export interface Message {
  /** The same when it is sent again. */
  readonly id: string;
  readonly alert: { readonly id: string; readonly name: string };
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The first of them, at least one. */
  readonly occurrences: readonly [ToldOccurrence, ...ToldOccurrence[]];
  /** How many there are, which may be more. */
  readonly count: number;
  /** The last lines of the first one's output, redacted; null: none. */
  readonly tail: string | null;
  readonly isTest: boolean;
}

/** What became of one attempt. */
export type DeliveryResult =
  | { readonly kind: 'delivered' }
  /** Another attempt may help. @property retryAfterMs what the receiver asked for */
  | { readonly kind: 'failed'; readonly why: string; readonly retryAfterMs: number | null }
  /** No attempt will: the address is refused, or the channel is not set up. */
  | { readonly kind: 'impossible'; readonly why: string };

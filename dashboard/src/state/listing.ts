/** A list that is loaded page by page, and again from its top when it may have changed. */
import { type ReadonlySignal, signal } from '@preact/signals';
import type { Page } from '../api/calls.ts';
import type { Failure, Result } from '../api/failure.ts';
import { serverNow } from './clock.ts';

export interface Listing<Item> {
  readonly items: readonly Item[];
  /** When its top was loaded; null before the first response: what is missing then may still come. */
  readonly readAt: number | null;
  readonly hasMore: boolean;
  readonly isBusy: boolean;
  readonly failure: Failure | null;
}

export interface Lister<Item> {
  readonly state: ReadonlySignal<Listing<Item>>;
  /** Loads it again, as far down as it was loaded before. */
  reload(): Promise<void>;
  /** Loads the next page. */
  more(): Promise<void>;
  /** Drops the end of what was loaded. @param cursor where it continues */
  truncate(items: readonly Item[], cursor: string): void;
}

interface ListerOptions {
  readonly now?: () => number;
  /** As many items as the reader has seen before. */
  readonly least?: number;
}

export function createLister<Item>(
  fetchPage: (cursor: string | null) => Promise<Result<Page<Item>>>,
  { now = serverNow, least = 0 }: ListerOptions = {},
): Lister<Item> {
  const state = signal<Listing<Item>>({ items: [], readAt: null, hasMore: false, isBusy: false, failure: null });
  let next: string | null = null;
  // The response to an earlier request is ignored.
  let generation = 0;

  const begin = () => {
    generation += 1;
    state.value = { ...state.peek(), isBusy: true, failure: null };
    return generation;
  };
  const end = (change: Partial<Listing<Item>>) => {
    state.value = { ...state.peek(), ...change, isBusy: false };
  };

  return {
    state,
    reload: async () => {
      const mine = begin();
      // A page may be empty although more follow.
      const wanted = Math.max(state.peek().items.length, least, 1);
      const readAt = now();
      const items: Item[] = [];
      let cursor: string | null = null;
      do {
        const page: Result<Page<Item>> = await fetchPage(cursor);
        if (mine !== generation) return;
        if (!page.ok) return end({ failure: page.failure });
        items.push(...page.value.items);
        cursor = page.value.next;
      } while (cursor !== null && items.length < wanted);
      next = cursor;
      end({ items, readAt, hasMore: next !== null });
    },
    more: async () => {
      if (next === null || state.peek().isBusy) return;
      const mine = begin();
      let items: readonly Item[] = [];
      while (next !== null && items.length === 0) {
        const page = await fetchPage(next);
        if (mine !== generation) return;
        if (!page.ok) return end({ failure: page.failure });
        items = page.value.items;
        next = page.value.next;
      }
      end({ items: [...state.peek().items, ...items], hasMore: next !== null });
    },
    truncate: (items, cursor) => {
      generation += 1;
      next = cursor;
      end({ items, hasMore: true });
    },
  };
}

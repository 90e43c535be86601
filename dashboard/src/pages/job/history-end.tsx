/** What follows the rows of the history: more of them, which come by themselves, or why there are none. */
import { useEffect, useRef } from 'preact/hooks';
import { countText } from '../../format/quantity.ts';
import { isFiltered, type RunFilter } from './filter.ts';
import { showAll } from './filters.tsx';
import type { RunHistory } from './history.ts';

interface HistoryEndProps {
  readonly history: RunHistory;
  readonly filter: RunFilter;
  /** How many rows there are above. */
  readonly shown: number;
}

/** Asked for before the reader is there. */
const AHEAD = '0px 0px 800px';

export function HistoryEnd({ history, filter, shown }: HistoryEndProps) {
  const end = useRef<HTMLDivElement | null>(null);
  const listing = history.listing.value;
  const { isBusy, failure } = listing;
  const hasMore = hasMoreToLoad(history);
  // Observed again after each page: an end that stays in view causes no further event.
  useEffect(() => {
    if (!hasMore || isBusy || failure !== null || end.current === null) return;
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting === true) history.loadMore();
      },
      { rootMargin: AHEAD },
    );
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [history, hasMore, listing]);

  return (
    <div ref={end} class="history-end" aria-live="polite">
      <EndText history={history} filter={filter} shown={shown} />
    </div>
  );
}

function EndText({ history, filter, shown }: HistoryEndProps) {
  const { readAt, hasMore, isBusy, failure } = history.listing.value;
  if (failure !== null) {
    return (
      <p class="nothing">
        <span class="problem">Couldn’t load the history. {failure.detail}</span>{' '}
        <button type="button" class="button quiet" onClick={() => history.loadMore()}>
          Try again
        </button>
      </p>
    );
  }
  if (readAt === null) return <p class="nothing">Loading history…</p>;
  if (hasMoreToLoad(history)) {
    return (
      <button type="button" class="button quiet" disabled={isBusy} onClick={() => history.loadMore()}>
        {isBusy ? 'Loading older runs…' : 'Load older runs'}
      </button>
    );
  }
  if (hasMore) {
    return <p class="aside">Newest {countText(shown, 'run')}. Filter to see older runs.</p>;
  }
  if (shown > 0) {
    return <p class="aside">End of history · {countText(shown, 'run')}</p>;
  }
  if (!isFiltered(filter)) {
    return <p class="nothing">No runs kept. The next one will appear here.</p>;
  }
  return (
    <p class="nothing">
      No runs match.{' '}
      <button type="button" class="button quiet" onClick={showAll}>
        Show all runs
      </button>
    </p>
  );
}

/** Whether there may be older runs to load. */
function hasMoreToLoad({ listing, isFull }: RunHistory): boolean {
  return listing.value.hasMore && !isFull.value;
}

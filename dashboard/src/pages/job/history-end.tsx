/** What follows the rows of the history: more of them, which come by themselves, or why there are none. */
import { useEffect, useRef } from 'preact/hooks';
import { countText } from '../../format/quantity.ts';
import { isNarrowed, type RunFilter } from './filter.ts';
import { showAll } from './filters.tsx';
import type { JobFollower, More } from './follow-job.ts';
import { type History, isFull } from './history.ts';

interface HistoryEndProps {
  readonly follower: JobFollower;
  readonly filter: RunFilter;
  /** How many rows there are above. */
  readonly shown: number;
}

/** Asked for before the reader is there. */
const AHEAD = '0px 0px 800px';

export function HistoryEnd({ follower, filter, shown }: HistoryEndProps) {
  const end = useRef<HTMLDivElement | null>(null);
  const more = follower.more.value;
  const history = follower.history.value;
  const hasMore = hasMoreToLoad(history);
  // Observed anew with each page: one that is still in view after a page has come is not told of otherwise.
  useEffect(() => {
    if (!hasMore || more.kind !== 'idle' || end.current === null) return;
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting === true) follower.loadMore();
      },
      { rootMargin: AHEAD },
    );
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [follower, hasMore, more.kind, history.reach]);

  return (
    <div ref={end} class="history-end" aria-live="polite">
      <EndText follower={follower} more={more} history={history} filter={filter} shown={shown} />
    </div>
  );
}

interface EndTextProps extends HistoryEndProps {
  readonly more: More;
  readonly history: History;
}

function EndText({ follower, more, history, filter, shown }: EndTextProps) {
  if (more.kind === 'failed') {
    return (
      <p class="nothing">
        <span class="problem">Couldn’t load the history. {more.failure.detail}</span>{' '}
        <button type="button" class="button quiet" onClick={() => follower.loadMore()}>
          Try again
        </button>
      </p>
    );
  }
  if (history.reach.kind === 'nowhere') return <p class="nothing">Loading history…</p>;
  if (hasMoreToLoad(history)) {
    return (
      <button type="button" class="button quiet" disabled={more.kind === 'loading'} onClick={() => follower.loadMore()}>
        {more.kind === 'loading' ? 'Loading older runs…' : 'Load older runs'}
      </button>
    );
  }
  if (history.reach.kind === 'to') {
    return <p class="aside">Newest {countText(shown, 'run')}. Filter to see older runs.</p>;
  }
  if (shown > 0) {
    return <p class="aside">End of history · {countText(shown, 'run')}</p>;
  }
  if (!isNarrowed(filter)) {
    return <p class="nothing">No runs kept. The next one will appear here.</p>;
  }
  return (
    <p class="nothing">
      No runs match.{' '}
      <button type="button" class="button quiet" onClick={showAll}>
        Clear filter
      </button>
    </p>
  );
}

/** Whether there may be older runs to load. */
function hasMoreToLoad(history: History): boolean {
  return history.reach.kind === 'to' && !isFull(history);
}

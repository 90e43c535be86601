/** All kills, newest first, with live progress. */
import './kills.css';
import { useMemo, useRef } from 'preact/hooks';
import type { Kill } from '#protocol/api';
import type { KillState } from '#protocol/kill';
import { fetchWholeBatches } from '../../api/calls.ts';
import { Announcer } from '../../components/announcer.tsx';
import { DensityToggle } from '../../components/density.tsx';
import { LinkBanner, LinkStatus } from '../../components/link-status.tsx';
import { Notice } from '../../components/notice.tsx';
import { MoreButton, Rows } from '../../components/rows.tsx';
import { Ago } from '../../components/time.tsx';
import { progressText } from '../../format/batch-labels.ts';
import { batchText, hasFoundNothing, killText, matchText, optionsText } from '../../format/kill-labels.ts';
import { useKeptCount } from '../../hooks/kept-count.ts';
import { useKeptSet } from '../../hooks/kept-set.ts';
import { usePageTitle } from '../../hooks/page-title.ts';
import { useFocusFallback } from '../../keyboard/focus-fallback.ts';
import { useShortcuts } from '../../keyboard/shortcuts.ts';
import { batchPath, killPath, Link, query, setFilter } from '../../router.tsx';
import { type BatchProgress, batchProgress } from '../../state/batch-progress.ts';
import { type Batch, stateOfBatch } from '../../state/batches.ts';
import { fleet, syncStatus, useFleet } from '../../state/fleet.ts';
import { kills, upsertKills } from '../../state/kills.ts';
import { createLister, type Listing } from '../../state/listing.ts';
import { survivorsText } from '../../state/survivors.ts';
import { useReload } from '../../state/use-reload.ts';
import { KillStateBadge } from './kill-state.tsx';
import { type KillFilter, type KillListRow, listedIds, newestFirst, parseKillFilter, rowsOf } from './listed.ts';

const PAGE_SIZE = 50;
const ROW_PX = 84;

export function KillsPage() {
  useFleet();
  usePageTitle('Kills – Leash');
  const heading = useRef<HTMLHeadingElement | null>(null);
  useFocusFallback(heading);
  const filter = parseKillFilter(query.value);
  const kept = useKeptCount();
  const list = useMemo(() => createKillList(filter, kept.take()), [JSON.stringify(filter)]);
  const { lister } = list;
  useReload(lister.reload);
  const listing = lister.state.value;
  kept.note(listing.items.length);
  list.shown = listedIds(list.shown, listing, kills.value, filter);
  const listed = newestFirst(list.shown, kills.value);
  // An address that names a batch opens it.
  const toggled = useKeptSet('toggled');
  const opened = filter.batch === null ? toggled.value : new Set([filter.batch]);
  const toggle = (id: string) => {
    const next = new Set(toggled.value);
    if (!next.delete(id)) next.add(id);
    toggled.value = next;
  };
  return (
    <main class="page kills" aria-busy={listing.readAt === null}>
      <div class="page-head">
        <h1 ref={heading} tabIndex={-1}>
          Kills
        </h1>
        <LinkStatus status={syncStatus.value} />
      </div>
      <Filters filter={filter} />
      {listing.failure !== null && (
        <Notice tone="bad" title="Couldn’t load kills" action={{ label: 'Try again', run: () => void lister.reload() }}>
          {listing.failure.detail}
        </Notice>
      )}
      {listed.length > 0 && (
        <Rows items={rowsOf(listed, opened)} keyOf={rowKey} estimatePx={ROW_PX} label="Kills, newest first">
          {(row) =>
            row.kind === 'batch' ? (
              <BatchRow batch={row.batch} isOpen={row.isOpen} toggle={() => toggle(row.batch.id)} />
            ) : (
              <KillRow kill={row.kill} isPart={row.isPart} />
            )
          }
        </Rows>
      )}
      {listed.length === 0 && listing.failure === null && <NoKills listing={listing} filter={filter} />}
      {listing.hasMore && <MoreButton lister={lister} />}
      <LatestChange key={JSON.stringify(filter)} listed={listed} />
      <LinkBanner status={syncStatus.value} />
    </main>
  );
}

/** One for each filter. */
function createKillList({ job, states, batch }: KillFilter, least: number) {
  const fetchPage = async (cursor: string | null) => {
    const answer = await fetchWholeBatches({ job, state: states.join(','), batch, limit: PAGE_SIZE, cursor });
    if (answer.ok) upsertKills(answer.value.items);
    return answer;
  };
  const lister = createLister(fetchPage, { least });
  const shown: ReadonlySet<string> = new Set();
  return { lister, shown };
}

const SHOWN = [
  { label: 'All', state: null },
  { label: 'In progress', state: 'queued,delivered' },
  { label: 'Done', state: 'settled' },
  { label: 'Expired', state: 'expired' },
] as const;

/** A list of names to choose from is of no use when it is longer than this. */
const OFFERED_JOBS = 500;

function Filters({ filter }: { readonly filter: KillFilter }) {
  const field = useRef<HTMLInputElement | null>(null);
  useShortcuts([{ key: '/', does: 'Filter by job', run: () => field.current?.select() }]);
  const state = filter.states.length === 0 ? null : filter.states.join(',');
  return (
    <search class="filters">
      <input
        ref={field}
        type="search"
        list="jobs-known"
        aria-label="Filter by job"
        placeholder="Filter by job: full name, then Enter"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        value={filter.job ?? ''}
        onChange={(event) => setFilter({ job: event.currentTarget.value.trim() })}
      />
      <datalist id="jobs-known">
        {[...fleet.value.jobs.keys()].slice(0, OFFERED_JOBS).map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame that says nothing more */}
      <div class="chips" role="group" aria-label="Show">
        {SHOWN.map((shown) => (
          <button
            key={shown.label}
            type="button"
            class="chip"
            aria-pressed={state === shown.state}
            onClick={() => setFilter({ state: shown.state })}
          >
            {shown.label}
          </button>
        ))}
        {filter.batch !== null && (
          <button type="button" class="chip" aria-pressed onClick={() => setFilter({ batch: null })}>
            One batch
          </button>
        )}
      </div>
      <DensityToggle />
    </search>
  );
}

function NoKills({ listing, filter }: { readonly listing: Listing<Kill>; readonly filter: KillFilter }) {
  if (listing.readAt === null) {
    return (
      <p class="nothing" role="status">
        Loading kills…
      </p>
    );
  }
  if (filter.job === null && filter.states.length === 0 && filter.batch === null) {
    return (
      <p class="nothing" role="status">
        No kills yet. <Link to="/">Go to runs</Link> to kill one, if your token has the <code>kill</code> scope.
      </p>
    );
  }
  return (
    <p class="nothing" role="status">
      No matching kills{filter.job !== null && ` for ${filter.job}`}.{' '}
      <button type="button" class="button quiet" onClick={() => setFilter({ job: null, state: null, batch: null })}>
        Clear filter
      </button>
    </p>
  );
}

const WITHOUT_TARGETS: Readonly<Record<KillState, string>> = {
  queued: 'not matched with runs yet',
  delivered: 'no matching run yet',
  settled: 'nothing to kill',
  expired: 'no matching run',
};

function rowKey(row: KillListRow): string {
  return row.kind === 'batch' ? `batch ${row.batch.id}` : row.kill.id;
}

interface BatchRowProps {
  readonly batch: Batch;
  readonly isOpen: boolean;
  toggle(): void;
}

/** The kills of one batch. */
function BatchRow({ batch, isOpen, toggle }: BatchRowProps) {
  const [first] = batch.kills;
  if (first === undefined) return null;
  const what = batchText(batch);
  return (
    <article class="row text kill" data-batch={batch.id}>
      <div class="cell-state">
        <KillStateBadge kill={stateOfBatch(batch)} />
      </div>
      <div class="cell-name">
        <Link to={batchPath(batch.id)} class="row-link" label={`Kill of ${what}`} cursor>
          {what}
        </Link>
        <button type="button" class="button quiet" aria-expanded={isOpen} onClick={toggle}>
          {isOpen ? 'Hide' : 'Show'} {batch.kills.length} kills
        </button>
      </div>
      <ProgressCell progress={batchProgress(batch.kills)} />
      <RequestCells kill={first} />
    </article>
  );
}

interface KillRowProps {
  readonly kill: Kill;
  readonly isPart: boolean;
}

function KillRow({ kill, isPart }: KillRowProps) {
  const progress = batchProgress([kill]);
  const isFound = kill.targets.length > 0 || hasFoundNothing(kill);
  return (
    <article class={isPart ? 'row text kill part' : 'row text kill'} data-kill={kill.id} data-state={kill.state}>
      <div class="cell-state">
        <KillStateBadge kill={kill} />
      </div>
      <div class="cell-name">
        <Link to={killPath(kill.id)} class="row-link" label={`Kill of ${kill.job}, ${matchText(kill)}`} cursor>
          {kill.job}
        </Link>
        <span class="aside">{matchText(kill)}</span>
      </div>
      <ProgressCell progress={progress} text={isFound ? null : WITHOUT_TARGETS[kill.state]} />
      <RequestCells kill={kill} />
    </article>
  );
}

interface FarProps {
  readonly progress: BatchProgress;
  /** In place of the progress. */
  readonly text?: string | null;
}

function ProgressCell({ progress, text = null }: FarProps) {
  return (
    <div class="cell-progress">
      {text ?? progressText(progress)}
      {progress.survivors.map((left) => (
        <strong key={left.machine} class="problem">
          Processes survived on {left.machine}: {survivorsText(left)}
        </strong>
      ))}
    </div>
  );
}

function RequestCells({ kill }: { readonly kill: Kill }) {
  return (
    <>
      <div class="cell-by">
        {kill.requested_by}
        <span class="aside">{optionsText(kill.signal, kill.grace_ms, kill.include)}</span>
        {kill.reason !== null && <q class="aside">{kill.reason}</q>}
      </div>
      <div class="cell-time">
        <Ago at={kill.requested_at} />
      </div>
    </>
  );
}

/** Says aloud what has become of a kill, or that there is a new one, since the list was read. */
function LatestChange({ listed }: { readonly listed: readonly Kill[] }) {
  const before = useRef<ReadonlyMap<string, string>>(new Map());
  const said = useRef('');
  const [newest = ''] = before.current.keys();
  const changed = listed.find(({ id, state }) => {
    const known = before.current.get(id);
    return known === undefined ? id > newest : known !== state;
  });
  if (changed !== undefined && before.current.size > 0) {
    said.current = `Kill of ${changed.job}: ${killText(changed)}`;
  }
  before.current = new Map(listed.map(({ id, state }) => [id, state]));
  return <Announcer text={said.current} />;
}

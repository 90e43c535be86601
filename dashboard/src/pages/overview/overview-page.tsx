/** The overview: what needs attention, what is running and what is idle, live, with kills. */
import './overview.css';
import { useComputed } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { Session } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { Announcer } from '../../components/announcer.tsx';
import { DensityToggle } from '../../components/density.tsx';
import { FilterField } from '../../components/filter-field.tsx';
import { lazyPart } from '../../components/lazy-page.tsx';
import { LinkBanner, LinkStatus } from '../../components/link-status.tsx';
import { Notice } from '../../components/notice.tsx';
import { SelectionBar } from '../../components/selection-bar.tsx';
import { TruncatedNotice } from '../../components/truncated-notice.tsx';
import { STATE_LABELS } from '../../format/run-state-labels.ts';
import { useKeptSet } from '../../hooks/kept-set.ts';
import { usePageTitle } from '../../hooks/page-title.ts';
import { useKillDialog } from '../../hooks/use-kill-dialog.tsx';
import { useFocusFallback } from '../../keyboard/focus-fallback.ts';
import { query, setFilter } from '../../router.tsx';
import { failure, fleet, hasBegun, loaded, openRuns, syncStatus, truncated, useFleet } from '../../state/fleet.ts';
import { mayAdminister } from '../../state/rights.ts';
import { useSelection } from '../../state/selection.ts';
import { store } from '../../state/store.ts';
import { parseFilter } from '../../state/text-filter.ts';
import { useAttentionFold } from './attention-fold.ts';
import { Overdue } from './overdue.tsx';
import { type Overview, overviewOf, runsOf, SECTION_NAMES, SECTIONS, type Section } from './rows.ts';
import { RunList } from './run-list.tsx';

/** Few readers see them. */
const FirstJob = lazyPart(async () => (await import('./first-job.tsx')).FirstJob);
const IndexNotice = lazyPart(async () => (await import('./index-notice.tsx')).IndexNotice);

export function OverviewPage({ who }: { readonly who: Session }) {
  useFleet();
  const toggled = useKeptSet('toggled');
  const overview = useComputed(() =>
    overviewOf(fleet.value, { filter: parseFilter(typed()), only: onlySection(), toggled: toggled.value }),
  ).value;
  const [folded, fold] = useAttentionFold(overview);
  // Drawn of one list alone, rows would be pushed aside by those of the other.
  const rows = hasBegun.value || failure.value !== null ? folded : [];
  const selection = useSelection(who, openRuns);
  const [ask, killDialog] = useKillDialog(selection);
  const heading = useRef<HTMLHeadingElement | null>(null);
  useFocusFallback(heading);
  usePageTitle(titleOf(overview.counts));

  const toggle = (job: string) => {
    const next = new Set(toggled.value);
    if (!next.delete(job)) next.add(job);
    toggled.value = next;
  };
  return (
    <main class="page overview" aria-busy={!loaded.value}>
      <div class="page-head">
        <h1 ref={heading} tabIndex={-1}>
          Runs
        </h1>
        <LinkStatus status={syncStatus.value} />
      </div>
      {failure.value !== null && (
        <Notice tone="bad" title="Couldn’t load runs">
          {failure.value.detail} Retrying every few seconds.
        </Notice>
      )}
      {mayAdminister(who) && <IndexNotice />}
      {truncated.value.runs && (
        <TruncatedNotice one="run" which="the newest">
          Open a job to see the rest.
        </TruncatedNotice>
      )}
      {truncated.value.jobs && (
        <TruncatedNotice one="job" which="the first">
          Sorted by name. Other jobs appear here only while they run; every job still has its own page.
        </TruncatedNotice>
      )}
      {loaded.value && fleet.value.jobs.size === 0 ? (
        <FirstJob who={who} origin={location.origin} />
      ) : (
        <>
          <Overdue />
          <Filters counts={overview.counts} />
          <RunList
            rows={rows}
            fold={fold}
            wish={`${query.value} ${[...toggled.value]} ${fold?.isOpen}`}
            selection={selection}
            ask={ask}
            toggle={toggle}
          />
          {rows.length === 0 && <Nothing />}
        </>
      )}
      <SelectionBar selection={selection} shown={rows.flatMap(runsOf)} ask={ask} />
      {killDialog}
      <Announcer text={loaded.value ? latestEnd() : null} />
      <LinkBanner status={syncStatus.value} />
    </main>
  );
}

/** The filter as typed. */
function typed(): string {
  return query.value.get('q') ?? '';
}

function onlySection(): Section | null {
  const asked = query.value.get('show');
  return SECTIONS.find((section) => section === asked) ?? null;
}

function Filters({ counts }: { readonly counts: Overview['counts'] }) {
  const only = onlySection();
  return (
    <search class="filters sticky">
      <FilterField />
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame that says nothing more */}
      <div class="chips" role="group" aria-label="Show">
        {[null, ...SECTIONS].map((section) => (
          <button
            key={section ?? 'all'}
            type="button"
            class="chip"
            data-section={section !== null && counts[section] > 0 ? section : undefined}
            aria-pressed={only === section}
            onClick={() => setFilter({ show: section })}
          >
            {section === null ? 'All' : SECTION_NAMES[section]}
            {section !== null && <span class="count">{counts[section]}</span>}
          </button>
        ))}
      </div>
      <DensityToggle />
    </search>
  );
}

function Nothing() {
  if (!loaded.value) {
    return failure.value === null ? (
      <p class="nothing" role="status">
        Loading runs…
      </p>
    ) : null;
  }
  return (
    <p class="nothing" role="status">
      No runs match this filter.{' '}
      <button type="button" class="button quiet" onClick={() => setFilter({ q: null, show: null })}>
        Clear filter
      </button>
    </p>
  );
}

function titleOf({ attention, running }: Overview['counts']): string {
  const told = [attention > 0 ? `${attention}!` : null, running > 0 ? String(running) : null].filter(
    (part) => part !== null,
  );
  return told.length === 0 ? 'Leash' : `(${told.join(' ')}) Leash`;
}

function latestEnd(): string {
  const run = store.changed.value.findLast(({ state }) => !isLive(state));
  if (run === undefined) return '';
  return `${run.job} on ${run.machine}: ${STATE_LABELS[run.state]}${run.exit_code === null ? '' : `, exit code ${run.exit_code}`}`;
}

/** What ran when: a lane a job or a machine, a bar a run. */
import './timeline.css';
import type { Session } from '#protocol/api';
import { FilterField } from '../../components/filter-field.tsx';
import { LinkBanner, LinkStatus } from '../../components/link-status.tsx';
import { Notice } from '../../components/notice.tsx';
import { countText } from '../../format/quantity.ts';
import { usePageTitle } from '../../hooks/page-title.ts';
import { useShortcuts } from '../../keyboard/shortcuts.ts';
import { Link, narrow, query } from '../../router.tsx';
import { fleet, freshness, loaded, useFleet } from '../../state/fleet.ts';
import { mayRead } from '../../state/rights.ts';
import { Chart } from './chart.tsx';
import type { LaneKind } from './lane-index.ts';
import { Legend } from './legend.tsx';
import type { RunHistory } from './run-history.ts';
import { dayText, minuteText, periodText } from './time-axis.ts';
import { type TimelineState, useTimelineState } from './timeline-state.ts';
import { useRunHistory } from './use-run-history.ts';
import { linkOf, nextSpan, SPAN_WORDS, SPANS } from './view.ts';

export function TimelinePage({ who }: { readonly who: Session }) {
  usePageTitle('Timeline · Leash');
  return mayRead(who) ? (
    <Timeline />
  ) : (
    <main class="page timeline">
      <Notice tone="plain" title="This session may not see what runs" isPage>
        Its token lacks the scope <code>read</code>. Sign in with one that has it, or ask whoever administers Leash.
      </Notice>
    </main>
  );
}

function Timeline() {
  useFleet();
  const kind: LaneKind = query.value.get('by') === 'machine' ? 'machine' : 'job';
  const state = useTimelineState();
  const history = useRunHistory(state, kind);
  // Read for its changing alone.
  history.version.value;
  const period = state.settledPeriod.value;
  const lanes = history.index.lanes.filter((lane) => lane.isBusy(period));
  const failure = history.failure.value;
  return (
    <main class="page timeline" aria-busy={history.loading.value}>
      <div class="page-head">
        <h1>Timeline</h1>
        <LinkStatus freshness={freshness.value} />
      </div>
      <Controls state={state} kind={kind} />
      {failure !== null && (
        <Notice tone="bad" title="What ran cannot be loaded">
          {failure.detail} It is tried again every few seconds.
        </Notice>
      )}
      <Summary state={state} history={history} kind={kind} lanes={lanes.length} />
      <Chart state={state} kind={kind} lanes={lanes} isLoading={history.loading.value} />
      {lanes.length === 0 && <Nothing state={state} history={history} />}
      <LinkBanner freshness={freshness.value} />
    </main>
  );
}

interface ControlsProps {
  readonly state: TimelineState;
  readonly kind: LaneKind;
}

function Controls({ state, kind }: ControlsProps) {
  const goToNow = () => state.show({ ...state.view.peek(), to: null });
  const byOther = () => narrow({ by: kind === 'job' ? 'machine' : null });
  useShortcuts([
    { key: 'n', does: 'Go to now', run: goToNow },
    { key: 'm', does: 'Lanes by job or by machine', run: byOther },
  ]);
  const { span, to } = state.view.value;
  return (
    <search class="timeline-controls">
      <FilterField />
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame that says nothing more */}
      <div class="choice" role="group" aria-label="A lane for each">
        <button type="button" aria-pressed={kind === 'job'} onClick={() => narrow({ by: null })}>
          Jobs
        </button>
        <button type="button" aria-pressed={kind === 'machine'} onClick={() => narrow({ by: 'machine' })}>
          Machines
        </button>
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame that says nothing more */}
      <div class="choice spans" role="group" aria-label="How much time is shown">
        <button
          type="button"
          aria-label="Zoom in"
          aria-disabled={nextSpan(span, 1) === span}
          onClick={() => state.zoom(1, null)}
        >
          +
        </button>
        {SPANS.map((each) => (
          <button
            key={each}
            type="button"
            title={SPAN_WORDS[each]}
            aria-pressed={each === span}
            onClick={() => state.zoomTo(each, null)}
          >
            {each.replace(/([hd])/, ' $1')}
          </button>
        ))}
        <button
          type="button"
          aria-label="Zoom out"
          aria-disabled={nextSpan(span, -1) === span}
          onClick={() => state.zoom(-1, null)}
        >
          −
        </button>
      </div>
      <button type="button" class="chip" aria-pressed={to === null} onClick={goToNow}>
        Now
      </button>
    </search>
  );
}

interface SummaryProps {
  readonly state: TimelineState;
  readonly history: RunHistory;
  readonly kind: LaneKind;
  readonly lanes: number;
}

/** Which time this is, what is not shown of it, and what marks mean. */
function Summary({ state, history, kind, lanes }: SummaryProps) {
  const period = state.period.value;
  const { span, to } = state.view.value;
  const cut = history.cutBefore.value;
  const isCut = cut !== null && cut > period.from;
  return (
    <div class="summary">
      <p>
        {to === null ? `The last ${SPAN_WORDS[span].replace(/^1 /, '')}` : periodText(period, minuteText)}
        {lanes > 0 && ` · ${countText(lanes, kind)}`}
        {history.loading.value && ' · loading…'}
      </p>
      <Legend />
      {isCut && (
        <p class="cut" role="status">
          There is more than can be shown at once: what started before {dayText(cut)} {minuteText(cut)} is not complete.
          A shorter window shows all.
        </p>
      )}
    </div>
  );
}

interface NothingProps {
  readonly state: TimelineState;
  readonly history: RunHistory;
}

function Nothing({ state, history }: NothingProps) {
  if (history.loading.value || (!loaded.value && history.failure.value === null)) {
    return (
      <p class="nothing" role="status">
        Loading what ran…
      </p>
    );
  }
  if (history.failure.value !== null) return null;
  if (fleet.value.jobs.size === 0) {
    return (
      <p class="nothing" role="status">
        Nothing has run yet. <Link to="/">Put a first job on the leash</Link>
      </p>
    );
  }
  const view = state.settled.value;
  const longer = nextSpan(view.span, -1);
  const isFiltered = (query.value.get('q') ?? '') !== '';
  return (
    <p class="nothing" role="status">
      {isFiltered ? 'Nothing that ran in this time matches. ' : 'Nothing ran in this time. '}
      {isFiltered && (
        <button type="button" class="button quiet" onClick={() => narrow({ q: null })}>
          Show everything
        </button>
      )}{' '}
      {longer !== view.span && (
        <button type="button" class="button quiet" onClick={() => state.zoomTo(longer, null)}>
          Look at {SPAN_WORDS[longer]}
        </button>
      )}{' '}
      {view.to !== null && (
        <button type="button" class="button quiet" onClick={() => narrow(linkOf({ ...view, to: null }))}>
          Go to now
        </button>
      )}
    </p>
  );
}

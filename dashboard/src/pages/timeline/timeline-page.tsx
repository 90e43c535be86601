/** Runs over time: a lane per job or machine, a bar per run. */
import './timeline.css';
import { FilterField } from '../../components/filter-field.tsx';
import { LinkBanner, LinkStatus } from '../../components/link-status.tsx';
import { Notice } from '../../components/notice.tsx';
import { countText } from '../../format/quantity.ts';
import { usePageTitle } from '../../hooks/page-title.ts';
import { useShortcuts } from '../../keyboard/shortcuts.ts';
import { Link, query, setFilter } from '../../router.tsx';
import { fleet, loaded, syncStatus, useFleet } from '../../state/fleet.ts';
import { Chart } from './chart.tsx';
import type { LaneKind } from './lanes.ts';
import { Legend } from './legend.tsx';
import { MOST_LOADED, type RunHistory } from './run-history.ts';
import { dayText, minuteText, periodText } from './time-axis.ts';
import { useRunHistory } from './use-run-history.ts';
import { useView, type ViewControl } from './use-view.ts';
import { nextZoom, overlaps, ZOOM_NAMES, ZOOMS } from './view.ts';

export function TimelinePage() {
  usePageTitle('Timeline · Leash');
  useFleet();
  const kind: LaneKind = query.value.get('by') === 'machine' ? 'machine' : 'job';
  const control = useView();
  const history = useRunHistory(control, kind);
  // Subscribes to the lanes.
  history.version.value;
  const period = control.settledPeriod.value;
  const lanes = history.lanes.filter(({ runs }) => runs.some((run) => overlaps(run, period)));
  const failure = history.failure.value;
  return (
    <main class="page timeline" aria-busy={history.loading.value}>
      <div class="page-head">
        <h1>Timeline</h1>
        <LinkStatus status={syncStatus.value} />
      </div>
      <Controls control={control} kind={kind} />
      {failure !== null && (
        <Notice tone="bad" title="Couldn’t load the timeline">
          {failure.detail} Retrying every few seconds.
        </Notice>
      )}
      <Summary control={control} history={history} kind={kind} lanes={lanes.length} />
      <Chart control={control} kind={kind} lanes={lanes} isLoading={history.loading.value} />
      {lanes.length === 0 && <NoRuns control={control} history={history} />}
      <LinkBanner status={syncStatus.value} />
    </main>
  );
}

interface ControlsProps {
  readonly control: ViewControl;
  readonly kind: LaneKind;
}

function Controls({ control, kind }: ControlsProps) {
  const goToNow = () => control.show({ ...control.view.peek(), to: null });
  const setKind = (wanted: LaneKind) => setFilter({ by: wanted === 'machine' ? 'machine' : null });
  useShortcuts([
    { key: 'n', does: 'Go to now', run: goToNow },
    { key: 'm', does: 'Lanes by job or by machine', run: () => setKind(kind === 'job' ? 'machine' : 'job') },
  ]);
  const { zoom, to } = control.view.value;
  const zoomButton = (label: string, sign: string, direction: 1 | -1) => (
    <button
      type="button"
      aria-label={label}
      aria-disabled={nextZoom(zoom, direction) === zoom}
      onClick={() => control.zoom(direction, null)}
    >
      {sign}
    </button>
  );
  return (
    <search class="timeline-controls">
      <FilterField />
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame that says nothing more */}
      <div class="choice" role="group" aria-label="Lanes">
        {(['job', 'machine'] as const).map((each) => (
          <button key={each} type="button" aria-pressed={kind === each} onClick={() => setKind(each)}>
            {each === 'job' ? 'Jobs' : 'Machines'}
          </button>
        ))}
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame that says nothing more */}
      <div class="choice zooms" role="group" aria-label="Period">
        {zoomButton('Zoom in', '+', 1)}
        {ZOOM_NAMES.map((each) => (
          <button
            key={each}
            type="button"
            title={ZOOMS[each].label}
            aria-pressed={each === zoom}
            onClick={() => control.zoomTo(each, null)}
          >
            {each.replace(/([hd])/, ' $1')}
          </button>
        ))}
        {zoomButton('Zoom out', '−', -1)}
      </div>
      <button type="button" class="chip" aria-pressed={to === null} onClick={goToNow}>
        Now
      </button>
    </search>
  );
}

interface SummaryProps extends ControlsProps {
  readonly history: RunHistory;
  readonly lanes: number;
}

/** Which period this is, what is missing of it, and what the bars mean. */
function Summary({ control, history, kind, lanes }: SummaryProps) {
  const period = control.period.value;
  const { zoom, to } = control.view.value;
  const before = history.incompleteBefore.value;
  return (
    <div class="summary">
      <p>
        {to === null ? `The last ${ZOOMS[zoom].label.replace(/^1 /, '')}` : periodText(period, minuteText)}
        {lanes > 0 && ` · ${countText(lanes, kind)}`}
        {history.loading.value && ' · loading…'}
      </p>
      <Legend />
      {before !== null && before > period.from && (
        <p class="incomplete" role="status">
          Showing the newest {MOST_LOADED.toLocaleString('en')} runs; before {dayText(before)} {minuteText(before)} the
          picture is incomplete. Zoom in to see all.
        </p>
      )}
    </div>
  );
}

interface NoRunsProps {
  readonly control: ViewControl;
  readonly history: RunHistory;
}

function NoRuns({ control, history }: NoRunsProps) {
  if (history.loading.value || (!loaded.value && history.failure.value === null)) {
    return (
      <p class="nothing" role="status">
        Loading runs…
      </p>
    );
  }
  if (history.failure.value !== null) return null;
  if (fleet.value.jobs.size === 0) {
    return (
      <p class="nothing" role="status">
        No runs yet. <Link to="/">Connect your first job</Link>
      </p>
    );
  }
  const view = control.settled.value;
  const wider = nextZoom(view.zoom, -1);
  const isFiltered = (query.value.get('q') ?? '') !== '';
  const button = (label: string, run: () => void) => (
    <button type="button" class="button quiet" onClick={run}>
      {label}
    </button>
  );
  return (
    <p class="nothing" role="status">
      {isFiltered ? 'No runs in this period match this filter. ' : 'No runs in this period. '}
      {isFiltered && button('Clear filter', () => setFilter({ q: null }))}{' '}
      {wider !== view.zoom && button(`Show ${ZOOMS[wider].label}`, () => control.zoomTo(wider, null))}{' '}
      {view.to !== null && button('Go to now', () => control.show({ ...view, to: null }))}
    </p>
  );
}

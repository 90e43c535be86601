/** The chart with its words. Its code is loaded when it is first wanted; its place is kept until then. */
import { signal, useComputed } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import type { Run } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { nameLanguageProperly } from '../../format/proper-language.ts';
import { now } from '../../state/clock.ts';
import { summaryText } from './durations.ts';
import { METRIC_NAMES, METRICS, type Metric, type MetricName } from './metrics.ts';

type Chart = ComponentType<{
  readonly runs: readonly Run[];
  readonly nowMs: number;
  readonly metric: Metric;
  readonly describedBy: string;
}>;

/** As last chosen, on whatever job's page. */
const chosen = signal<MetricName>('duration');

const chart = signal<{ readonly Chart: Chart } | 'asked' | 'failed' | null>(null);

function ask(): void {
  if (chart.peek() !== null && chart.peek() !== 'failed') return;
  chart.value = 'asked';
  nameLanguageProperly();
  import('./duration-chart.tsx').then(
    ({ DurationChart: Chart }) => {
      chart.value = { Chart };
    },
    () => {
      chart.value = 'failed';
    },
  );
}

/** Points of running runs climb in steps of this size. */
const STEP_MS = 5_000;
/** Of a single run the words say all. */
const WORTH_DRAWING = 2;
const SUMMARY_ID = 'chart-summary';

interface ChartPaneProps {
  readonly runs: readonly Run[];
  /** Whether they are still to come. */
  readonly isAwaited: boolean;
}

export function ChartPane({ runs, isAwaited }: ChartPaneProps) {
  useEffect(ask, []);
  const hasLive = runs.some(({ state }) => isLive(state));
  const step = useComputed(() => Math.ceil(now.value / STEP_MS) * STEP_MS);
  const hasUsage = useMemo(() => runs.some(({ usage }) => usage !== null), [runs]);
  const metric: Metric = METRICS[hasUsage ? chosen.value : 'duration'];
  const summary = useMemo(() => summaryText(runs, metric), [runs, metric]);
  const loading = chart.value;
  return (
    <section class="chart-pane" aria-label="Chart">
      {hasUsage && <MetricChoice />}
      <p id={SUMMARY_ID} class="chart-summary">
        {isAwaited ? 'Loading history…' : summary}
      </p>
      <div class="chart-place" hidden={!isAwaited && runs.length < WORTH_DRAWING}>
        {loading === 'failed' && (
          <p class="nothing">
            Chart failed to load.{' '}
            <button type="button" class="button quiet" onClick={ask}>
              Try again
            </button>
          </p>
        )}
        {loading !== null && typeof loading === 'object' && runs.length >= WORTH_DRAWING && (
          <loading.Chart runs={runs} nowMs={hasLive ? step.value : 0} metric={metric} describedBy={SUMMARY_ID} />
        )}
      </div>
    </section>
  );
}

function MetricChoice() {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame that says nothing more
    <div class="chips chart-metric" role="group" aria-label="Shown in the chart">
      {METRIC_NAMES.map((name) => (
        <button
          key={name}
          type="button"
          class="chip"
          aria-pressed={chosen.value === name}
          onClick={() => {
            chosen.value = name;
          }}
        >
          {METRICS[name].label}
        </button>
      ))}
    </div>
  );
}

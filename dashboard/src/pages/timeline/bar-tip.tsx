/** What is said about the bar that is pointed at, or that has the focus. */
import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { StateBadge } from '../../components/run-state.tsx';
import { Clock, Duration } from '../../components/time.tsx';
import { startsOf, statesText, uncertaintyText } from './bar-labels.ts';
import type { BarRef, ChartGeometry } from './chart-geometry.ts';
import type { Bar } from './layout.ts';
import { periodText } from './time-axis.ts';
import type { View } from './view.ts';

const WIDTH_PX = 288;
/** Below a bar, a tip needs this much room. */
const HEIGHT_PX = 190;
const GAP_PX = 6;
const HIDE_MS = 180;

/** Where a tip is, within the chart. */
interface TipPosition extends BarRef {
  readonly leftPx: number;
  /** The upper or the lower edge of the bar, whichever has room beyond it. */
  readonly edgePx: number;
  readonly isAbove: boolean;
  readonly isByTouch: boolean;
}

export type TipControl = ReturnType<typeof useTip>;

export function useTip({ chart, plot, elementAt }: ChartGeometry, { zoom, to }: View) {
  const shown = useSignal<TipPosition | null>(null);
  const hiding = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const keep = () => clearTimeout(hiding.current);
  const hide = () => {
    keep();
    shown.value = null;
  };
  useLayoutEffect(hide, [zoom, to]);
  return {
    /** Null while no tip is shown. */
    shown,
    isOf: ({ lane, bar }: BarRef) => shown.peek()?.lane === lane && shown.peek()?.bar === bar,
    show: (ref: BarRef, isByTouch = false) => {
      keep();
      const [bar, frame, track] = [elementAt(ref), chart.current, plot.current].map((e) => e?.getBoundingClientRect());
      if (bar === undefined || frame === undefined || track === undefined) return;
      const [left, right] = [Math.max(bar.left, track.left), Math.min(bar.right, track.right)];
      const isAbove = innerHeight - bar.bottom < HEIGHT_PX && bar.top > HEIGHT_PX;
      shown.value = {
        ...ref,
        leftPx: Math.max(0, Math.min((left + right) / 2 - frame.left - WIDTH_PX / 2, frame.width - WIDTH_PX)),
        edgePx: (isAbove ? bar.top - GAP_PX : bar.bottom + GAP_PX) - frame.top,
        isAbove,
        isByTouch,
      };
    },
    hide,
    /** Unless `keep` or `show` is called before. */
    hideSoon: () => {
      keep();
      hiding.current = setTimeout(hide, HIDE_MS);
    },
    keep,
  };
}

interface BarTipProps {
  readonly bar: Bar;
  readonly position: TipPosition;
  /** A finger presses the bar in here: its first touch only shows the tip. */
  press(): void;
}

export function BarTip({ bar: { runs }, position, press }: BarTipProps) {
  const [run] = runs;
  return (
    <div
      class="tip"
      data-above={position.isAbove}
      data-touch={position.isByTouch}
      style={{ left: `${position.leftPx}px`, top: `${position.edgePx}px` }}
    >
      {runs.length === 1 ? (
        <>
          <p class="tip-head">
            <strong>{run.job}</strong> on {run.machine}
          </p>
          <StateBadge
            state={run.state}
            isConnected={run.connected}
            note={uncertaintyText(run) ?? (run.exit_code === null ? null : `exit code ${run.exit_code}`)}
          />
          <p class="tip-times">
            <Clock at={run.started_at} /> · {run.ended_at === null ? 'for' : 'took'}{' '}
            <Duration from={run.started_at} to={run.ended_at} />
          </p>
        </>
      ) : (
        <>
          <p class="tip-head">
            <strong>{runs.length} runs</strong>
          </p>
          <p>{statesText(runs)}</p>
          <p class="tip-times">{periodText(startsOf(runs))}</p>
        </>
      )}
      {position.isByTouch && (
        <button type="button" class="button quiet tip-action" onClick={press}>
          {runs.length === 1 ? 'Open run' : 'List runs'}
        </button>
      )}
    </div>
  );
}

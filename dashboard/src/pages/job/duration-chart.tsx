/**
 * How long runs took, or another metric, and how they ended, by when they started. Loaded apart from the page, with the library that draws it.
 *
 * For those who don't see it, or have no mouse, it is a slider: the arrow keys go from run to run, and each is told.
 */
import 'uplot/dist/uPlot.min.css';
import type { TargetedEvent, TargetedKeyboardEvent, TargetedPointerEvent } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import type { Run } from '#protocol/api';
import { RUN_STATES, type RunState } from '#protocol/run-state';
import { STATE_SHAPES } from '../../components/state-shapes.ts';
import { Clock } from '../../components/time.tsx';
import { PROMINENCE, STATE_LABELS } from '../../format/run-state-labels.ts';
import { exactTimeText } from '../../format/time-format.ts';
import { navigate, runPath } from '../../router.tsx';
import { type ChartAxis, chartAxis } from './durations.ts';
import { MarkSign, STATE_COLORS } from './marks.tsx';
import { METRICS, type Metric } from './metrics.ts';
import { nearest, type Pixel, type Point, pointsOf, timeRange, timeTexts } from './points.ts';

const HEIGHT_PX = 220;
const DURATION_AXIS_PX = 64;
const TIME_AXIS_PX = 42;
/** The state symbols, large enough to differ; successes are subdued. */
const SHAPE_SIZE = 16;
const MARK_PX = 15;
const QUIET_MARK_PX = 12;
const MARK_STROKE = 2.2;
const DASHES = [2.2, 2.51];
/** How far from a point one may be to mean it; with a finger further. */
const REACH_PX = 16;
const TOUCH_REACH_PX = 28;

interface DurationChartProps {
  /** Newest start first. */
  readonly runs: readonly Run[];
  /** Until when those that run have taken so far. */
  readonly nowMs: number;
  readonly metric: Metric;
  /** Says in words what there is to see. */
  readonly describedBy: string;
}

export function DurationChart({ runs, nowMs, metric, describedBy }: DurationChartProps) {
  const points = pointsOf(runs, nowMs, metric);
  const place = useRef<HTMLDivElement | null>(null);
  const plot = usePlot(place, points, metric);
  const [chosen, setChosen] = useState<string | null>(null);
  /** What a finger has shown before it went down again. */
  const shownBefore = useRef<string | null>(null);

  const at = chosen === null ? -1 : points.findIndex(({ run }) => run.id === chosen);
  const point = points[at] ?? null;
  const choose = (index: number) => setChosen(points[Math.min(points.length - 1, Math.max(0, index))]?.run.id ?? null);
  const meant = (event: TargetedPointerEvent<HTMLDivElement>) => {
    const index = plot.indexAt(event, event.pointerType === 'touch' ? TOUCH_REACH_PX : REACH_PX);
    return index === null ? null : (points[index]?.run.id ?? null);
  };

  const onKeyDown = (event: TargetedKeyboardEvent<HTMLDivElement>) => {
    const steps: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => choose(at === -1 ? points.length - 1 : at - 1),
      ArrowDown: () => choose(at === -1 ? points.length - 1 : at - 1),
      ArrowRight: () => choose(at === -1 ? points.length - 1 : at + 1),
      ArrowUp: () => choose(at === -1 ? points.length - 1 : at + 1),
      Home: () => choose(0),
      End: () => choose(points.length - 1),
      Escape: () => setChosen(null),
      Enter: () => {
        if (point !== null) navigate(runPath(point.run));
      },
    };
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    step();
  };
  const onClick = (event: TargetedEvent<HTMLDivElement, MouseEvent>) => {
    // A finger can't hover: its first touch shows the run, the next one opens it.
    const isTouch = event instanceof PointerEvent && event.pointerType === 'touch';
    if (point !== null && (!isTouch || shownBefore.current === chosen)) navigate(runPath(point.run));
  };

  return (
    <div
      class="duration-chart"
      role="slider"
      tabIndex={0}
      aria-label={`${metric.label} of runs by start time. Enter opens the run.`}
      aria-describedby={describedBy}
      aria-valuemin={1}
      aria-valuemax={Math.max(1, points.length)}
      aria-valuenow={at === -1 ? Math.max(1, points.length) : at + 1}
      aria-valuetext={point === null ? 'no run selected' : pointText(point, metric)}
      data-meant={point !== null}
      onKeyDown={onKeyDown}
      onBlur={() => setChosen(null)}
      onPointerDown={(event) => {
        shownBefore.current = chosen;
        setChosen(meant(event));
      }}
      onPointerMove={(event) => {
        if (event.pointerType !== 'touch') setChosen(meant(event));
      }}
      onPointerLeave={(event) => {
        if (event.pointerType !== 'touch') setChosen(null);
      }}
      onClick={onClick}
    >
      <div ref={place} class="plot" aria-hidden="true" />
      {point !== null && <Tip point={point} metric={metric} place={plot.placeOf(point)} widthPx={plot.widthPx()} />}
    </div>
  );
}

function pointText({ run, amount }: Point, { format }: Metric): string {
  return `${run.machine}: ${STATE_LABELS[run.state]}, ${format(amount)}, started ${exactTimeText(new Date(run.started_at))}`;
}

interface TipProps {
  readonly point: Point;
  readonly metric: Metric;
  readonly place: Pixel;
  readonly widthPx: number;
}

/** On which run one is. The slider's value says the same aloud. */
function Tip({ point: { run, amount }, metric, place, widthPx }: TipProps) {
  const side = place.x > widthPx / 2 ? { right: `${widthPx - place.x + 12}px` } : { left: `${place.x + 12}px` };
  return (
    <div aria-hidden="true">
      <div class="meant-ring" style={{ left: `${place.x}px`, top: `${place.y}px` }} />
      <div class="tip" style={{ ...side, top: `${Math.max(0, place.y - 40)}px` }}>
        <strong class="tip-state">
          <MarkSign state={run.state} /> {STATE_LABELS[run.state]}
          {run.exit_code !== null && run.state !== 'succeeded' && `, exit code ${run.exit_code}`}
        </strong>
        <span>{run.machine}</span>
        <span>
          {metric.format(amount)}, started <Clock at={run.started_at} />
        </span>
      </div>
    </div>
  );
}

/** What the drawing is asked for. */
interface Plot {
  placeOf(point: Point): Pixel;
  indexAt(event: { readonly clientX: number; readonly clientY: number }, reachPx: number): number | null;
  widthPx(): number;
}

function usePlot(place: { readonly current: HTMLElement | null }, points: readonly Point[], metric: Metric): Plot {
  const drawn = useRef<Drawn | null>(null);
  useLayoutEffect(() => {
    const element = place.current;
    if (element === null) return;
    const mine = new Drawn(element);
    drawn.current = mine;
    return () => {
      mine.stop();
      drawn.current = null;
    };
  }, []);
  useEffect(() => drawn.current?.show(points, metric));
  return {
    placeOf: (point) => drawn.current?.placeOf(point) ?? { x: 0, y: 0 },
    indexAt: (event, reachPx) => drawn.current?.indexAt(event, reachPx) ?? null,
    widthPx: () => place.current?.clientWidth ?? 0,
  };
}

/** The library's plot: rebuilt when its scale changes, otherwise updated. */
class Drawn {
  readonly #element: HTMLElement;
  readonly #resized: ResizeObserver;
  readonly #scheme = matchMedia('(prefers-color-scheme: dark)');
  readonly #paths: ReadonlyMap<RunState, { readonly fill: Path2D; readonly stroke: Path2D }>;
  #colors: Colors;
  #points: readonly Point[] = [];
  #axis: ChartAxis = chartAxis([]);
  #metric: Metric = METRICS.duration;
  #plot: uPlot | null = null;

  constructor(element: HTMLElement) {
    this.#element = element;
    this.#colors = readColors(element);
    this.#paths = new Map(
      RUN_STATES.map((state) => {
        const { fill, stroke } = STATE_SHAPES[state];
        return [state, { fill: new Path2D(fill), stroke: new Path2D(stroke) }];
      }),
    );
    this.#resized = new ResizeObserver(() => this.#plot?.setSize(this.#size()));
    this.#resized.observe(element);
    this.#scheme.addEventListener('change', this.#recolor);
  }

  stop(): void {
    this.#resized.disconnect();
    this.#scheme.removeEventListener('change', this.#recolor);
    this.#plot?.destroy();
  }

  show(points: readonly Point[], metric: Metric): void {
    this.#points = points;
    const axis = chartAxis(
      points.map(({ amount }) => amount),
      metric.marks,
    );
    const isAnother = axis.kind !== this.#axis.kind || metric !== this.#metric;
    this.#metric = metric;
    this.#axis = axis;
    const data: uPlot.AlignedData = [
      points.map(({ startedSeconds }) => startedSeconds),
      points.map(({ amount }) => Math.max(amount, axis.min)),
    ];
    if (this.#plot === null || isAnother) {
      this.#plot?.destroy();
      this.#plot = new uPlot(this.#options(), data, this.#element);
      // When the graphics process dies, as of a driver or after sleep, the drawing goes with it, and the browser does
      // not make it again.
      this.#plot.ctx.canvas.addEventListener('contextrestored', this.#redraw);
    } else {
      this.#plot.setData(data);
    }
  }

  /** Within the element, in CSS pixels. */
  placeOf(point: Point): Pixel {
    const plot = this.#plot;
    if (plot === null) return { x: 0, y: 0 };
    return {
      x: plot.over.offsetLeft + plot.valToPos(point.startedSeconds, 'x'),
      y: plot.over.offsetTop + plot.valToPos(Math.max(point.amount, this.#axis.min), 'y'),
    };
  }

  indexAt(
    { clientX, clientY }: { readonly clientX: number; readonly clientY: number },
    reachPx: number,
  ): number | null {
    const { left, top } = this.#element.getBoundingClientRect();
    const places = this.#points.map((point) => this.placeOf(point));
    return nearest(places, { x: clientX - left, y: clientY - top }, reachPx);
  }

  #size(): { readonly width: number; readonly height: number } {
    return { width: Math.max(1, this.#element.clientWidth), height: HEIGHT_PX };
  }

  readonly #recolor = () => {
    this.#colors = readColors(this.#element);
    this.#redraw();
  };

  readonly #redraw = () => this.#plot?.redraw(false);

  #options(): uPlot.Options {
    const axis: uPlot.Axis = {
      stroke: () => this.#colors.ink,
      font: this.#colors.font,
      grid: { stroke: () => this.#colors.line, width: 1 },
      ticks: { show: false },
    };
    return {
      ...this.#size(),
      padding: [10, 24, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: true, range: () => timeRange(this.#points) },
        y: { distr: this.#axis.kind === 'log' ? 3 : 1, range: () => [this.#axis.min, this.#axis.max] },
      },
      axes: [
        {
          ...axis,
          size: TIME_AXIS_PX,
          space: 80,
          values: (_, ticks, __, ___, stepSeconds) => timeTexts(ticks, stepSeconds),
        },
        {
          ...axis,
          size: DURATION_AXIS_PX,
          splits: () => [...this.#axis.ticks],
          // On a scale of powers the library shows the powers of ten alone.
          filter: (_, ticks) => ticks,
          values: (_, ticks) => ticks.map(this.#metric.format),
        },
      ],
      series: [{}, { points: { show: false }, paths: (plot) => this.#drawPoints(plot) }],
    };
  }

  /** What is remarkable comes last, so that the others don't cover it. */
  #drawPoints(plot: uPlot): null {
    const { ctx } = plot;
    const scale = devicePixelRatio;
    ctx.save();
    for (const state of RUN_STATES.toSorted((a, b) => PROMINENCE[a] - PROMINENCE[b])) {
      const path = this.#paths.get(state);
      if (path === undefined) continue;
      const px = (state === 'succeeded' ? QUIET_MARK_PX : MARK_PX) / SHAPE_SIZE;
      ctx.fillStyle = ctx.strokeStyle = this.#colors.states[state];
      ctx.lineWidth = MARK_STROKE;
      ctx.setLineDash(STATE_SHAPES[state].isDashed === true ? DASHES : []);
      for (const { run, startedSeconds, amount } of this.#points) {
        if (run.state !== state) continue;
        const x = plot.valToPos(startedSeconds, 'x', true);
        const y = plot.valToPos(Math.max(amount, this.#axis.min), 'y', true);
        ctx.setTransform(scale * px, 0, 0, scale * px, x, y);
        ctx.translate(-SHAPE_SIZE / 2, -SHAPE_SIZE / 2);
        ctx.stroke(path.stroke);
        ctx.fill(path.fill);
      }
    }
    ctx.restore();
    return null;
  }
}

interface Colors {
  readonly ink: string;
  readonly line: string;
  readonly font: string;
  readonly states: Readonly<Record<RunState, string>>;
}

/** A canvas knows no tokens. */
function readColors(element: HTMLElement): Colors {
  const style = getComputedStyle(element);
  const token = (name: string) => style.getPropertyValue(name).trim();
  const states = Object.fromEntries(RUN_STATES.map((state) => [state, token(STATE_COLORS[state])]));
  return {
    ink: token('--ink-soft'),
    line: token('--line'),
    font: `12px ${style.fontFamily}`,
    states: states as Record<RunState, string>,
  };
}

/** The tip of one mark: where it is, and when it goes. */
import { type ReadonlySignal, useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { ChartGeometry, MarkPlace } from './chart-geometry.ts';
import type { TipPlace } from './mark-tip.tsx';

/** What a tip says needs so much room below the mark. */
const TIP_PX = 190;
const GAP_PX = 6;
const HIDE_TIP_MS = 180;

export interface MarkTipControl {
  /** Null while none is shown. */
  readonly place: ReadonlySignal<TipPlace | null>;
  /** Whether it is the tip of this mark that is shown. */
  isOf(place: MarkPlace): boolean;
  show(place: MarkPlace, isByTouch?: boolean): void;
  hide(): void;
  /** Unless `keep` or `show` is called before. */
  hideSoon(): void;
  keep(): void;
}

export function useMarkTip({ chart, plot, elementAtPlace }: ChartGeometry): MarkTipControl {
  const tip = useSignal<TipPlace | null>(null);
  const hiding = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const keep = () => clearTimeout(hiding.current);
  const hide = () => {
    keep();
    tip.value = null;
  };
  return {
    place: tip,
    isOf: ({ lane, mark }) => tip.value?.lane === lane && tip.value.mark === mark,
    show: (place, isByTouch = false) => {
      keep();
      const mark = elementAtPlace(place)?.getBoundingClientRect();
      const frame = chart.current?.getBoundingClientRect();
      const track = plot.current?.getBoundingClientRect();
      if (mark === undefined || frame === undefined || track === undefined) return;
      tip.value = { ...place, ...beside(mark, frame, track), isByTouch };
    },
    hide,
    hideSoon: () => {
      keep();
      hiding.current = setTimeout(hide, HIDE_TIP_MS);
    },
    keep,
  };
}

/** Below the middle of what is in view of a mark; above where there is no room below. */
function beside(mark: DOMRect, frame: DOMRect, track: DOMRect): Pick<TipPlace, 'leftPx' | 'edgePx' | 'isAbove'> {
  const [left, right] = [Math.max(mark.left, track.left), Math.min(mark.right, track.right)];
  const isAbove = innerHeight - mark.bottom < TIP_PX && mark.top > TIP_PX;
  return {
    leftPx: (left + right) / 2 - frame.left,
    edgePx: (isAbove ? mark.top - GAP_PX : mark.bottom + GAP_PX) - frame.top,
    isAbove,
  };
}

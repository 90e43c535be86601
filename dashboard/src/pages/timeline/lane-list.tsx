import type { RefObject } from 'preact';
import { useKeptPlace } from '../../hooks/scroll-restoration.ts';
import type { VirtualRows } from '../../hooks/virtual-rows.ts';
import type { Lane } from './lane-index.ts';
import type { LaneLayout } from './lane-layout.ts';
import { LaneRow, type LaneRowProps } from './lane-row.tsx';
import type { FocusTarget } from './use-mark-focus.ts';

interface LaneListProps extends Omit<LaneRowProps, 'lane' | 'layout' | 'cursor'> {
  readonly list: RefObject<HTMLUListElement | null>;
  readonly lanes: readonly Lane[];
  layoutOf(lane: Lane): LaneLayout;
  readonly virtual: VirtualRows;
  /** Whether there is room to draw in yet. */
  readonly isMeasured: boolean;
  /** Whether there may be more of them to come. */
  readonly isLoading: boolean;
  /** The mark that had the focus last. */
  readonly cursor: FocusTarget | null;
}

/** The lanes that are in view, in their places among all. */
export function LaneList({ list, lanes, layoutOf, virtual, isMeasured, isLoading, cursor, ...shared }: LaneListProps) {
  const names = lanes.map(({ name }) => name);
  useKeptPlace({
    keys: isMeasured ? names : [],
    within: list,
    startPx: (name) => virtual.startPx(names.indexOf(name)),
    isComplete: isMeasured && !isLoading,
  });
  return (
    <ul
      ref={list}
      class="lanes"
      aria-label={shared.kind === 'job' ? 'Jobs' : 'Machines'}
      style={{ height: `${virtual.totalPx}px` }}
    >
      {isMeasured &&
        virtual.rows.map((item) => {
          const lane = lanes[item.index];
          if (lane === undefined) return null;
          return (
            <li
              key={item.key}
              ref={virtual.measure}
              data-index={item.index}
              data-row-key={lane.name}
              class="lane-place"
              aria-setsize={lanes.length}
              aria-posinset={item.index + 1}
              style={{ transform: `translateY(${virtual.topPx(item)}px)` }}
            >
              <LaneRow
                {...shared}
                lane={lane}
                layout={layoutOf(lane)}
                cursor={cursor?.lane === lane.name ? cursor.mark : null}
              />
            </li>
          );
        })}
    </ul>
  );
}

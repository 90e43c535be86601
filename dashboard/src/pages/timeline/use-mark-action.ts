/** What pressing a mark does: a run is opened; a group is zoomed in on, or listed where no zoom tells its runs apart. */
import { type ReadonlySignal, useSignal } from '@preact/signals';
import type { Run } from '#protocol/api';
import { navigate, runPath } from '../../router.tsx';
import { now } from '../../state/clock.ts';
import type { Mark } from './lane-layout.ts';
import { startsOf } from './mark-words.ts';
import type { TimelineState } from './timeline-state.ts';
import type { MarkFocus } from './use-mark-focus.ts';
import type { MarkTipControl } from './use-mark-tip.ts';
import { framing, type View } from './view.ts';

export interface MarkAction {
  act(lane: string, mark: Mark): void;
  /** The same in words. */
  textOf(mark: Mark): string;
  /** The runs that are to be listed; null when none are. */
  readonly listed: ReadonlySignal<readonly Run[] | null>;
  closeList(): void;
}

export function useMarkAction(state: TimelineState, tip: MarkTipControl, focus: MarkFocus): MarkAction {
  const listed = useSignal<readonly Run[] | null>(null);
  return {
    act: (lane, mark) => {
      tip.hide();
      if (mark.kind === 'run') {
        navigate(runPath(mark.run));
        return;
      }
      const closer = closerView(mark, state.view.peek(), now.peek());
      if (closer === null) {
        listed.value = mark.runs;
        return;
      }
      focus.moveOnceDrawn({ lane, mark: null, ms: mark.from });
      state.show(closer);
    },
    textOf: (mark) => {
      if (mark.kind === 'run') return 'Open the run';
      return closerView(mark, state.view.value, now.value) === null ? 'List the runs' : 'Zoom in';
    },
    listed,
    closeList: () => {
      listed.value = null;
    },
  };
}

/** Null when its runs are no further apart from close by. */
function closerView(group: Extract<Mark, { kind: 'group' }>, view: View, nowMs: number): View | null {
  return group.cause === 'short' ? framing(view, startsOf(group.runs), nowMs) : null;
}

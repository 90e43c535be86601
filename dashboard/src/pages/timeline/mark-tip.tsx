/** What is told of the mark that is pointed at or has the focus. */
import { StateBadge } from '../../components/run-state.tsx';
import { Clock, Duration } from '../../components/time.tsx';
import type { Mark } from './lane-layout.ts';
import { startsOf, statesText, stateText } from './mark-words.ts';
import { periodText } from './time-axis.ts';

/** Where a mark is, within the chart. */
export interface TipPlace {
  readonly lane: string;
  readonly mark: string;
  readonly leftPx: number;
  /** Its upper or its lower edge, whichever has room beyond. */
  readonly edgePx: number;
  readonly isAbove: boolean;
  readonly isByTouch: boolean;
}

const WIDTH_PX = 288;

interface MarkTipProps {
  readonly mark: Mark;
  readonly place: TipPlace;
  readonly chartPx: number;
  /** What pressing it does, in words. A finger presses it in here: what it touches first only tells. */
  readonly action: string;
  act(): void;
}

export function MarkTip({ mark, place, chartPx, action, act }: MarkTipProps) {
  const leftPx = Math.max(0, Math.min(place.leftPx - WIDTH_PX / 2, chartPx - WIDTH_PX));
  return (
    <div
      class="tip"
      data-above={place.isAbove}
      data-touch={place.isByTouch}
      style={{ left: `${leftPx}px`, top: `${place.edgePx}px` }}
    >
      {mark.kind === 'run' ? <RunTold mark={mark} /> : <GroupTold mark={mark} />}
      {place.isByTouch && (
        <button type="button" class="button quiet tip-action" onClick={act}>
          {action}
        </button>
      )}
    </div>
  );
}

function RunTold({ mark: { run } }: { readonly mark: Extract<Mark, { kind: 'run' }> }) {
  return (
    <>
      <p class="tip-head">
        <strong>{run.job}</strong> on {run.machine}
      </p>
      <StateBadge
        state={run.state}
        isConnected={run.connected}
        note={stateText(run).split(', ')[1] ?? (run.exit_code === null ? null : `exit code ${run.exit_code}`)}
      />
      <p class="tip-times">
        <Clock at={run.started_at} /> · {run.ended_at === null ? 'for' : 'took'}{' '}
        <Duration from={run.started_at} to={run.ended_at} />
      </p>
    </>
  );
}

function GroupTold({ mark: { runs } }: { readonly mark: Extract<Mark, { kind: 'group' }> }) {
  return (
    <>
      <p class="tip-head">
        <strong>{runs.length} runs</strong>
      </p>
      <p>{statesText(runs)}</p>
      <p class="tip-times">{periodText(startsOf(runs))}</p>
    </>
  );
}

import type { ComponentChildren } from 'preact';
import type { Run } from '#protocol/api';
import { Link, runPath } from '../router.tsx';
import type { KillScope } from '../state/pending-kills.ts';
import type { Selection } from '../state/selection.ts';
import { KillButton, Picker } from './pick-and-kill.tsx';
import { RunStateBadge } from './run-state.tsx';
import { Clock, Duration } from './time.tsx';

export interface RowActions {
  readonly selection: Selection;
  ask(scope: KillScope): void;
}

interface OpenRunRowProps extends RowActions {
  readonly run: Run;
  /** What tells it from its neighbours: its job or its machine. */
  readonly name: string;
  readonly class?: string;
  readonly hasStart?: boolean;
  /** The cells between its name and its time. */
  readonly children?: ComponentChildren;
  /** Those between its time and its button. */
  readonly afterTime?: ComponentChildren;
}

/** A run that runs, or may come back. */
export function OpenRunRow({
  run,
  name,
  class: className = '',
  hasStart = false,
  selection,
  ask,
  children,
  afterTime,
}: OpenRunRowProps) {
  const what = `${run.job} on ${run.machine}`;
  return (
    <article class={`row ${className}`} data-run={run.id} data-state={run.state}>
      <Picker runs={[run]} selection={selection} label={`Select ${what}`} />
      <div class="cell-state">
        <RunStateBadge run={run} />
      </div>
      <div class="cell-name">
        <Link to={runPath(run)} class="row-link" label={what} cursor>
          {name}
        </Link>
        <span class="command-line" title={run.command_line}>
          {run.command_line}
        </span>
      </div>
      {children}
      <div class="cell-time">
        <Duration from={run.started_at} to={run.ended_at} />
        {hasStart && (
          <span class="since">
            since <Clock at={run.started_at} />
          </span>
        )}
      </div>
      {afterTime}
      <div class="cell-kill">
        <KillButton runs={[run]} selection={selection} ask={ask} label={`Kill ${what}`} />
      </div>
    </article>
  );
}

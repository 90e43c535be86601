/** The rows of the overview. Only those in view are drawn: ten thousand of them scroll like ten. */
import { Component } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { useListCursor } from '../../keyboard/list-cursor.ts';
import { useShortcuts } from '../../keyboard/shortcuts.ts';
import { useVirtualRows } from '../../parts/virtual-rows.ts';
import type { KillScope } from '../../state/kill-orders.ts';
import { JobRow, RestRow, RunRow } from './row.tsx';
import { keyOf, type Row, runsOf, SECTION_NAMES } from './rows.ts';
import type { Selection } from './selection.ts';

interface RunListProps {
  readonly rows: readonly Row[];
  readonly selection: Selection;
  ask(scope: KillScope): void;
  toggle(job: string): void;
}

const ESTIMATED_PX = 60;

export function RunList({ rows, selection, ask, toggle }: RunListProps) {
  const list = useRef<HTMLUListElement | null>(null);
  const virtual = useVirtualRows({
    count: rows.length,
    keyOf: (index) => keyOf(rows[index] as Row),
    estimatePx: () => ESTIMATED_PX,
    list,
  });
  const cursor = useCursor(rows, list, virtual.reveal);

  useShortcuts([
    { key: 'x', does: 'Select the run, or all of the job', run: () => selection.toggle(cursor.runs()) },
    {
      key: 'K',
      does: 'Kill what is selected, or the run that has the focus',
      run: () => {
        const runs = selection.runs.length > 0 ? selection.runs : cursor.runs().filter(selection.mayPick);
        if (runs.length > 0) ask({ kind: 'runs', runs });
      },
    },
  ]);

  return (
    <ul ref={list} class="run-list" aria-label="Runs and jobs" style={{ height: `${virtual.totalPx}px` }}>
      {virtual.rows.map((item) => {
        const row = rows[item.index];
        if (row === undefined) return null;
        return (
          <li
            key={item.key}
            ref={virtual.measure}
            data-index={item.index}
            class={placeClass(rows, item.index)}
            aria-setsize={rows.length}
            aria-posinset={item.index + 1}
            style={{ transform: `translateY(${virtual.topPx(item)}px)` }}
          >
            <StillRow row={row} selection={selection} ask={ask} toggle={toggle} />
          </li>
        );
      })}
    </ul>
  );
}

function placeClass(rows: readonly Row[], index: number): string {
  const first = rows[index - 1]?.kind === 'section' ? ' first' : '';
  const next = rows[index + 1];
  const last = next === undefined || next.kind === 'section' ? ' last' : '';
  return `row-place${first}${last}`;
}

interface RowProps extends Omit<RunListProps, 'rows'> {
  readonly row: Row;
}

/** Drawn again only when something of it is new: scrolling moves rows by the dozen. */
class StillRow extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    return next.row !== this.props.row || next.selection !== this.props.selection;
  }

  override render() {
    const { row, selection, ask, toggle } = this.props;
    switch (row.kind) {
      case 'section':
        return (
          <h2 class="section-head" data-section={row.section}>
            {SECTION_NAMES[row.section]} <span class="count">{row.count}</span>
          </h2>
        );
      case 'job':
        return <JobRow {...row} selection={selection} ask={ask} toggle={() => toggle(row.job.name)} />;
      case 'run':
        return <RunRow {...row} selection={selection} ask={ask} />;
      case 'rest':
        return <RestRow {...row} />;
    }
  }
}

/** The row that has the focus, or had it last: rows come and go above it. */
function useCursor(
  rows: readonly Row[],
  list: { readonly current: HTMLElement | null },
  reveal: (index: number) => void,
) {
  const at = useRef<string | null>(null);
  const wanted = useRef<string | null>(null);
  const places = rows.flatMap((row, index) => (row.kind === 'section' ? [] : [index]));

  const indexInRows = () => {
    const focused = list.current?.contains(document.activeElement)
      ? document.activeElement?.closest<HTMLElement>('[data-index]')
      : null;
    if (focused !== null && focused !== undefined) return Number(focused.dataset.index);
    return rows.findIndex((row) => keyOf(row) === at.current);
  };
  const focusWanted = () => {
    if (wanted.current === null) return;
    const index = rows.findIndex((row) => keyOf(row) === wanted.current);
    const target = list.current?.querySelector<HTMLElement>(`[data-index="${index}"] [data-cursor]`);
    if (target === null || target === undefined) return;
    wanted.current = null;
    target.focus({ preventScroll: true });
  };
  // A row that is out of view is drawn first, and gets the focus then.
  useLayoutEffect(focusWanted);
  useListCursor({
    count: places.length,
    current: () => places.indexOf(indexInRows()),
    focus: (place) => {
      const index = places[place];
      const row = index === undefined ? undefined : rows[index];
      if (index === undefined || row === undefined) return;
      at.current = keyOf(row);
      wanted.current = at.current;
      reveal(index);
      focusWanted();
    },
    item: 'row',
  });

  return {
    runs: () => {
      const row = rows[indexInRows()];
      return row === undefined ? [] : runsOf(row);
    },
  };
}

/** The rows of the overview. Only those in view are drawn: ten thousand of them scroll like ten. */
import { Component } from 'preact';
import { useRef } from 'preact/hooks';
import { RowList } from '../../components/rows.tsx';
import { useScrollAnchor } from '../../hooks/scroll-anchor.ts';
import { useScrollRestoration } from '../../hooks/scroll-restoration.ts';
import { useVirtualRows } from '../../hooks/virtual-rows.ts';
import { usePickAndKill } from '../../keyboard/pick-and-kill.ts';
import { useRowCursor } from '../../keyboard/row-cursor.ts';
import { loaded } from '../../state/fleet.ts';
import type { KillScope } from '../../state/pending-kills.ts';
import type { Selection } from '../../state/selection.ts';
import type { AttentionFold } from './attention-fold.ts';
import { FoldSign, IdleRow, JobRow, RunRow } from './row.tsx';
import { keyOf, type Row, runsOf, SECTION_NAMES } from './rows.ts';

interface RunListProps {
  readonly rows: readonly Row[];
  /** How what needs attention is folded; null when it is not. */
  readonly fold: AttentionFold | null;
  /** The filters and folds: when they change, rows are meant to move. */
  readonly wish: string;
  readonly selection: Selection;
  ask(scope: KillScope): void;
  toggle(job: string): void;
}

const ESTIMATED_PX = 60;

export function RunList({ rows, fold, wish, selection, ask, toggle }: RunListProps) {
  const list = useRef<HTMLUListElement | null>(null);
  const virtual = useVirtualRows({
    count: rows.length,
    keyOf: (index) => keyOf(rows[index] as Row),
    estimatePx: () => ESTIMATED_PX,
    list,
  });
  useScrollAnchor({ list, wish });
  const allKeys = rows.map(keyOf);
  useScrollRestoration({
    keys: allKeys,
    within: list,
    startPx: (key) => virtual.startPx(allKeys.indexOf(key)),
    isComplete: loaded.value,
  });
  const cursor = useRowCursor({
    keys: rows.flatMap((row) => (row.kind === 'section' ? [] : [keyOf(row)])),
    within: list,
    reveal: (key) => virtual.reveal(rows.findIndex((row) => keyOf(row) === key)),
  });
  const runsHere = () => {
    const key = cursor.marked();
    const row = rows.find((candidate) => keyOf(candidate) === key);
    return row === undefined ? [] : runsOf(row);
  };

  usePickAndKill({ selection, runsHere, picks: 'the run, or all runs of the job', ask });

  return (
    <RowList
      list={list}
      virtual={virtual}
      label="Runs and jobs"
      keys={allKeys}
      isHeading={(index) => rows[index]?.kind === 'section'}
    >
      {(index) => {
        const row = rows[index] as Row;
        return (
          <StillRow
            row={row}
            fold={row.kind === 'section' ? fold : null}
            selection={selection}
            ask={ask}
            toggle={toggle}
          />
        );
      }}
    </RowList>
  );
}

interface SectionHeadProps extends Omit<Extract<Row, { kind: 'section' }>, 'kind'> {
  readonly fold: AttentionFold | null;
}

function SectionHead({ section, count, fold }: SectionHeadProps) {
  if (fold === null) {
    return (
      <h2 class="section-head" data-section={section}>
        {SECTION_NAMES[section]} <span class="count">{count}</span>
      </h2>
    );
  }
  return (
    <h2 class="section-head" data-section={section}>
      <button type="button" class="fold" aria-expanded={fold.isOpen} onClick={fold.toggle}>
        <FoldSign />
        {count} need attention
      </button>
    </h2>
  );
}

interface RowProps extends Omit<RunListProps, 'rows' | 'wish'> {
  readonly row: Row;
}

/** Drawn again only when something of it is new: scrolling moves rows by the dozen. */
class StillRow extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    return (
      next.row !== this.props.row ||
      next.selection !== this.props.selection ||
      next.fold?.isOpen !== this.props.fold?.isOpen
    );
  }

  override render() {
    const { row, fold, selection, ask, toggle } = this.props;
    switch (row.kind) {
      case 'section':
        return <SectionHead {...row} fold={row.section === 'attention' ? fold : null} />;
      case 'job':
        return <JobRow {...row} selection={selection} ask={ask} toggle={() => toggle(row.job.name)} />;
      case 'run':
        return <RunRow {...row} selection={selection} ask={ask} />;
      case 'idle':
        return <IdleRow {...row} />;
    }
  }
}

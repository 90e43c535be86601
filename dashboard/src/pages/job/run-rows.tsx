/** A list of runs of which only those in view are drawn. */
import type { RefObject, VNode } from 'preact';
import { useRef } from 'preact/hooks';
import type { Run } from '#protocol/api';
import { RowList } from '../../components/rows.tsx';
import { useVirtualRows, type VirtualRows } from '../../hooks/virtual-rows.ts';

export interface RunRows {
  readonly runs: readonly Run[];
  readonly list: RefObject<HTMLUListElement | null>;
  readonly virtual: VirtualRows;
  /** Tells the same run in two lists apart. */
  readonly prefix: string;
}

export function useRunRows(prefix: string, runs: readonly Run[], estimatePx: number, hiddenTopPx = 0): RunRows {
  const list = useRef<HTMLUListElement | null>(null);
  const virtual = useVirtualRows({
    count: runs.length,
    keyOf: (index) => runs[index]?.id ?? '',
    estimatePx: () => estimatePx,
    list,
    hiddenTopPx,
  });
  return { runs, list, virtual, prefix };
}

/** The key of a run's row. All runs are of one job, so their ids are unique. */
export function keyOf({ prefix }: Pick<RunRows, 'prefix'>, { id }: Run): string {
  return prefix + id;
}

export function keysOf(rows: RunRows): string[] {
  return rows.runs.map((run) => keyOf(rows, run));
}

interface RunListProps {
  readonly rows: RunRows;
  readonly label: string;
  row(run: Run): VNode;
}

export function RunList({ rows, label, row }: RunListProps) {
  return (
    <RowList list={rows.list} virtual={rows.virtual} label={label} keys={keysOf(rows)}>
      {(index) => {
        const run = rows.runs[index];
        return run === undefined ? null : row(run);
      }}
    </RowList>
  );
}

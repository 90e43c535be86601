/** The live table of `leash ps --watch`, as lines. Pure. */
import type { Run } from '#protocol/api';
import { printable } from '../../logging/log.ts';
import { countText } from '../kill/preview.ts';
import { isOpen } from '../list-runs.ts';
import { relativeTime } from '../relative-time.ts';
import { watchedColumns } from '../run-table.ts';
import { tableLines } from '../table.ts';
import { styled, type Terminal } from '../terminal.ts';
import type { WatchStatus } from './runs-watcher.ts';

export interface WatchedTable {
  /** Newest first. */
  readonly runs: readonly Run[];
  readonly status: WatchStatus;
  readonly nowMs: number;
}

/** @param height how many lines there may be: the last one says how many runs there are, and that they are up to date */
export function watchTableLines(table: WatchedTable, terminal: Terminal, height: number): string[] {
  const { runs, nowMs } = table;
  // Beside the rows there are the header and the last line.
  const shown = runs.slice(0, Math.max(0, height - 2));
  const rows = shown.length === 0 ? [] : tableLines(watchedColumns(nowMs, terminal), shown, terminal);
  return [...rows, lastLine(table, runs.length - shown.length, terminal)];
}

function lastLine({ runs, status, nowMs }: WatchedTable, hidden: number, terminal: Terminal): string {
  const open = runs.filter(isOpen).length;
  const counts = [
    ...(hidden > 0 ? [`and ${hidden} more`] : []),
    ...(open > 0 ? [`${countText(open, 'run')}`] : ['no runs']),
  ].join(' · ');
  switch (status.kind) {
    case 'loading':
      return styled(terminal, 'dim', 'Loading …');
    case 'live':
      return styled(terminal, 'dim', `${counts} · Ctrl-C ends`);
    case 'polling':
      return styled(terminal, 'yellow', printable(`${counts} · updated every 5 s, because ${status.why}`));
    case 'reconnecting': {
      const asOf = relativeTime(new Date(status.sinceMs).toISOString(), nowMs);
      return styled(terminal, 'yellow', printable(`${counts} · as of ${asOf}, reconnecting: ${status.why}`));
    }
  }
}

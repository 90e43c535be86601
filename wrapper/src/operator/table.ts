/** Aligned columns. On a terminal they fit into it; elsewhere everything is shown. */
import { printable } from '../logging/log.ts';
import { displayWidth, truncate } from './display-width.ts';
import { type Style, styled, type Terminal } from './terminal.ts';

export interface Column<Row> {
  readonly header: string;
  readonly text: (row: Row) => string;
  readonly style?: (row: Row) => Style | null;
  readonly align?: 'right';
  /** It may be cut to this width where there is no room; by default it is never cut. */
  readonly leastWidth?: number;
  /** Where there is still no room it is left out, the highest number first; by default it never is. */
  readonly leaveOut?: number;
}

const GAP = 2;
/** Names are mostly told apart by so many characters. */
const LEGIBLE_WIDTH = 24;

/** A header and a line for each row, without line breaks. A column that has no text in any row is left out. Texts may be from elsewhere: they are made printable. */
export function tableLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[], terminal: Terminal): string[] {
  const all = columns.map((column) => ({ column, cells: rows.map((row) => printable(column.text(row))) }));
  const hasText = ({ index }: Measured) => all[index]?.cells.some((cell) => cell !== '') ?? false;
  const laid = layOut(all.map(measured).filter(hasText), terminal.columns);
  const line = (cellAt: (index: number) => { text: string; style: Style | null }) =>
    laid
      .map(({ index, width }, position) => {
        const { text, style } = cellAt(index);
        const isLast = position === laid.length - 1;
        return padded(text, width, columns[index]?.align, isLast, (shown) => styled(terminal, style, shown));
      })
      .join(' '.repeat(GAP))
      .trimEnd();
  return [
    line((index) => ({ text: columns[index]?.header ?? '', style: 'bold' })),
    ...rows.map((row, at) =>
      line((index) => ({ text: all[index]?.cells[at] ?? '', style: columns[index]?.style?.(row) ?? null })),
    ),
  ];
}

interface Measured {
  readonly index: number;
  readonly width: number;
  readonly leastWidth: number;
  readonly leaveOut: number | null;
}

function measured<Row>({ column, cells }: { column: Column<Row>; cells: readonly string[] }, index: number): Measured {
  const width = cells.reduce((widest, cell) => Math.max(widest, displayWidth(cell)), column.header.length);
  const leastWidth = Math.min(width, Math.max(column.leastWidth ?? width, column.header.length));
  return { index, width, leastWidth, leaveOut: column.leaveOut ?? null };
}

/** The columns that are shown, with their widths. */
function layOut(columns: readonly Measured[], room: number | null): readonly Measured[] {
  if (room === null) return columns;
  const missing = total(columns, ({ width }) => width) - room;
  if (missing <= 0) return columns;
  // Rather than that a name is cut short, what can be left out is.
  if (total(columns, legibleWidth) <= room) return narrowed(columns, missing);
  const last = columns.reduce<Measured | null>(
    (found, each) => ((each.leaveOut ?? 0) > (found?.leaveOut ?? 0) ? each : found),
    null,
  );
  // What nothing more can be left out of is as wide as it must be.
  return last === null
    ? narrowed(columns, missing)
    : layOut(
        columns.filter((each) => each !== last),
        room,
      );
}

function legibleWidth({ width, leastWidth, leaveOut }: Measured): number {
  return leaveOut === null ? Math.min(width, Math.max(leastWidth, LEGIBLE_WIDTH)) : leastWidth;
}

function total(columns: readonly Measured[], widthOf: (column: Measured) => number): number {
  return columns.reduce((sum, column) => sum + widthOf(column), GAP * (columns.length - 1));
}

/** Takes from what could be left out first. */
function narrowed(columns: readonly Measured[], missing: number): readonly Measured[] {
  const isMinor = ({ leaveOut }: Measured) => leaveOut !== null;
  const minor = narrowedEvenly(columns, missing, isMinor);
  const taken = total(columns, ({ width }) => width) - total(minor, ({ width }) => width);
  return narrowedEvenly(minor, missing - taken, (column) => !isMinor(column));
}

/** Takes from the widest of these first, so that none is cut while a wider one is not. */
function narrowedEvenly(
  columns: readonly Measured[],
  missing: number,
  isCut: (column: Measured) => boolean,
): readonly Measured[] {
  const widths = columns.map(({ width }) => width);
  for (let left = missing; left > 0; left -= 1) {
    const spare = columns.map((column, at) => {
      const width = widths[at] ?? 0;
      return isCut(column) && width > column.leastWidth ? width : -1;
    });
    const widest = spare.indexOf(Math.max(...spare));
    if ((spare[widest] ?? -1) < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return columns.map((column, at) => ({ ...column, width: widths[at] ?? column.width }));
}

function padded(
  text: string,
  width: number,
  align: 'right' | undefined,
  isLast: boolean,
  style: (text: string) => string,
) {
  const shown = truncate(text, width);
  const padding = ' '.repeat(Math.max(0, width - displayWidth(shown)));
  if (align === 'right') return padding + style(shown);
  return isLast ? style(shown) : style(shown) + padding;
}

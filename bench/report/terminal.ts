/** Results as aligned text. */
import { styleText } from 'node:util';
import { formatQuantity } from './quantity.ts';
import { type Aim, type BenchResult, type Cell, isMet, type Report, type Table } from './result.ts';

const GAP = '   ';

export function formatHeading({ name, title, seconds }: Report): string {
  return `${styleText('bold', name)}  ${title} ${styleText('dim', `(took ${seconds} s)`)}`;
}

/** Everything that one bench found, as lines of text. */
export function formatResult({ tables, aims, notes }: BenchResult): string {
  const blocks = [...tables.map(formatTable), ...(aims.length === 0 ? [] : [formatAims(aims)])];
  if (notes.length > 0) blocks.push(notes.map((note) => styleText('dim', `  ${note}`)).join('\n'));
  return blocks.join('\n\n');
}

export function formatTable({ title, columns, rows }: Table): string {
  const cells = rows.map(({ name, cells }) => [name, ...columns.map((_, index) => formatCell(cells[index] ?? null))]);
  const [head = '', ...lines] = align([[title, ...columns], ...cells]);
  return [styleText('dim', `  ${head}`), ...lines.map((line) => `  ${line}`)].join('\n');
}

export function formatCell(cell: Cell): string {
  if (cell === null) return '';
  return typeof cell === 'string' ? cell : formatQuantity(cell);
}

function formatAims(aims: readonly Aim[]): string {
  const lines = align(
    aims.map(({ name, measured, relation, limit }) => [
      name,
      formatQuantity(measured),
      `${relation} ${formatQuantity(limit)}`,
    ]),
  );
  return aims
    .map((aim, index) => {
      const mark = isMet(aim) ? styleText('green', '✓') : styleText(['red', 'bold'], '✗');
      return `  ${mark} ${lines[index]}`;
    })
    .join('\n');
}

/** The first column to the left, the others to the right. */
function align(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0)))
      .join(GAP)
      .trimEnd(),
  );
}

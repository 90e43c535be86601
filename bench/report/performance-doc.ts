/** Puts results into docs/performance.md, and the charts beside it. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from '../../scripts/local/paths.ts';
import { withPart, writtenParts } from '../../scripts/written-parts.ts';
import { chartSvg } from './chart.ts';
import type { Machine } from './machine.ts';
import { formatQuantity } from './quantity.ts';
import { type Aim, isMet, type Report, type Table } from './result.ts';
import { formatCell } from './terminal.ts';

export const PERFORMANCE_DOC = join(ROOT, 'docs', 'performance.md');

export async function writePerformanceDoc(machine: Machine, reports: readonly Report[]): Promise<void> {
  await writeFile(PERFORMANCE_DOC, withResults(await readFile(PERFORMANCE_DOC, 'utf8'), machine, reports));
  for (const { result } of reports) {
    if (result.chart !== undefined)
      await writeFile(join(ROOT, 'docs', 'images', result.chart.file), chartSvg(result.chart));
  }
}

/** The document with these results; those of other benches stay as they are. */
export function withResults(text: string, machine: Machine, reports: readonly Report[]): string {
  const document = reports.reduce((written, report) => withPart(written, report.name, markdown(machine, report)), text);
  return withPart(document, 'missed', missedMarkdown(document));
}

/** What the tables of aims say, so that it also has what was missed in earlier runs of other benches. */
function missedMarkdown(document: string): string {
  const missed = [...writtenParts(document)].flatMap(([bench, content]) =>
    [...content.matchAll(/^\| (.*) \| (.*) \| (.*) \| ✗ \|$/gm)].map(
      ([, aim, measured, limit]) => `- ${bench}: ${aim}: ${measured}, not ${limit}`,
    ),
  );
  return missed.join('\n') || 'Nothing.';
}

function markdown(machine: Machine, { seconds, result: { tables, aims, notes } }: Report): string {
  const blocks = [
    ...tables.map(tableMarkdown),
    ...(aims.length === 0 ? [] : [aimsMarkdown(aims)]),
    ...(notes.length === 0 ? [] : [notes.join(' ')]),
    `<sub>${machineText(machine)}; took ${seconds} s</sub>`,
  ];
  return blocks.join('\n\n');
}

/** One line that says what was measured on. */
export function machineText({ at, leash, cores, processor, memoryGib, system, node, workerd, load }: Machine): string {
  return `${at.slice(0, 10)}, Leash ${leash} on ${cores} × ${processor}, ${memoryGib} GiB, ${system}, Node.js ${node}, workerd ${workerd}; load ${load} before`;
}

function tableMarkdown({ title, columns, rows }: Table): string {
  const body = rows.map(({ name, cells }) => [
    // An indented row belongs to the one above.
    name.startsWith('  ') ? `&nbsp;&nbsp;${name.trim()}` : name,
    ...columns.map((_, index) => formatCell(cells[index] ?? null)),
  ]);
  return markdownTable([title, ...columns], body);
}

function aimsMarkdown(aims: readonly Aim[]): string {
  return markdownTable(
    ['aim', 'measured', 'limit', ''],
    aims.map((aim) => [
      aim.name,
      formatQuantity(aim.measured),
      `${aim.relation} ${formatQuantity(aim.limit)}`,
      isMet(aim) ? '✓' : '✗',
    ]),
  );
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`.replaceAll(/\| +(?=\|)/g, '| ');
  const rule = `|${head.map((_, column) => (column === 0 ? '---' : '---:')).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

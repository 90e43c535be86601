/** A chart as an SVG that can be read on light and on dark pages. */
import { formatQuantity, type Quantity } from './quantity.ts';

export interface Bar {
  readonly name: string;
  /** Where the bar ends. */
  readonly value: number;
  /** Where a thin line ends that continues the bar. */
  readonly p99: number | null;
  /** `other`: not ours. */
  readonly kind: 'floor' | 'ours' | 'other';
}

export interface Chart {
  /** Of the file in docs/images. */
  readonly file: string;
  readonly title: string;
  readonly unit: Quantity['unit'];
  readonly bars: readonly Bar[];
  /** A line across all bars. */
  readonly limit: { readonly name: string; readonly value: number } | null;
  /** One bar more, made of what the time was spent on, in order. */
  readonly parts: { readonly name: string; readonly parts: readonly Part[] } | null;
}

export interface Part {
  readonly name: string;
  readonly value: number;
}

const WIDTH = 900;
const LABELS = 290;
/** For the numbers behind the bars. */
const MARGIN_RIGHT = 160;
const TOP = 62;
const ROW = 30;
const BAR = 16;
const LEGEND_ROW = 20;
const LEGEND_COLUMNS = 2;

const STYLE = `
    text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328 }
    .title { font-weight: 600; font-size: 15px }
    .soft { fill: #59636e }
    .floor { fill: #8c959f } .ours { fill: #1f6feb } .other { fill: #bf8700 }
    .whisker { stroke: #1f2328; stroke-width: 1.5 }
    .limit { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 4 3 }
    .limit-name { fill: #cf222e }
    .p0 { fill: #0a3069 } .p1 { fill: #1f6feb } .p2 { fill: #54aeff } .p3 { fill: #bf8700 } .p4 { fill: #8c959f } .p5 { fill: #d4a72c }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc }
      .soft { fill: #9198a1 }
      .ours { fill: #4493f8 } .other { fill: #d29922 }
      .whisker { stroke: #f0f6fc }
      .limit { stroke: #f85149 }
      .limit-name { fill: #f85149 }
      .p0 { fill: #b6e3ff } .p1 { fill: #4493f8 } .p2 { fill: #1158c7 } .p3 { fill: #d29922 } .p4 { fill: #656c76 } .p5 { fill: #9e6a03 }
    }`;

/** The whole file. */
export function chartSvg({ title, unit, bars, limit, parts }: Chart): string {
  const largest = Math.max(
    limit?.value ?? 0,
    sum(parts?.parts ?? []),
    ...bars.flatMap(({ value, p99 }) => p99 ?? value),
  );
  const scale = (value: number) => (value / largest) * (WIDTH - LABELS - MARGIN_RIGHT);
  const label = (value: number) => formatQuantity({ value, unit });
  const barsEnd = TOP + bars.length * ROW;
  const legendRows = parts === null ? 0 : Math.ceil(parts.parts.length / LEGEND_COLUMNS);
  const height = barsEnd + (parts === null ? 12 : ROW + 14 + legendRows * LEGEND_ROW + 8);
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${xml(describe(title, bars, label))}">`,
    `  <style>${STYLE}\n  </style>`,
    `  <text class="title" x="8" y="24">${xml(title)}</text>`,
    ...bars.flatMap((bar, index) => barSvg(bar, TOP + index * ROW, scale, label)),
  ];
  if (limit !== null) {
    const x = LABELS + scale(limit.value);
    lines.push(
      `  <line class="limit" x1="${px(x)}" x2="${px(x)}" y1="${TOP - 10}" y2="${barsEnd}"/>`,
      `  <text class="limit-name" x="${px(x)}" y="${TOP - 15}" text-anchor="middle">${xml(`${limit.name}: ${label(limit.value)}`)}</text>`,
    );
  }
  if (parts !== null) lines.push(...partsSvg(parts, barsEnd + 14, scale, label));
  return `${[...lines, '</svg>'].join('\n')}\n`;
}

type Format = (value: number) => string;
type Scale = (value: number) => number;

function barSvg({ name, value, p99, kind }: Bar, y: number, scale: Scale, label: Format): string[] {
  const end = LABELS + scale(value);
  const middle = y + BAR / 2;
  const whiskerEnd = LABELS + scale(p99 ?? value);
  const whisker = p99 === null ? [] : [`  <path class="whisker" d="M${px(end)} ${middle}H${px(whiskerEnd)}m0 -4v8"/>`];
  return [
    `  <text x="${LABELS - 10}" y="${y + 13}" text-anchor="end">${xml(name)}</text>`,
    `  <rect class="${kind}" x="${LABELS}" y="${y}" width="${px(scale(value))}" height="${BAR}" rx="2"/>`,
    ...whisker,
    `  <text class="soft" x="${px(whiskerEnd + 8)}" y="${y + 13}">${xml(p99 === null ? label(value) : `${label(value)}, p99 ${label(p99)}`)}</text>`,
  ];
}

function partsSvg(
  { name, parts }: { readonly name: string; readonly parts: readonly Part[] },
  y: number,
  scale: Scale,
  label: Format,
): string[] {
  const lines = [`  <text x="${LABELS - 10}" y="${y + 13}" text-anchor="end">${xml(name)}</text>`];
  let x = LABELS;
  parts.forEach(({ value }, index) => {
    const width = scale(value);
    lines.push(`  <rect class="p${index}" x="${px(x)}" y="${y}" width="${px(width)}" height="${BAR}"/>`);
    x += width;
  });
  parts.forEach((part, index) => {
    const left = 8 + (index % LEGEND_COLUMNS) * ((WIDTH - 16) / LEGEND_COLUMNS);
    const top = y + ROW + Math.floor(index / LEGEND_COLUMNS) * LEGEND_ROW;
    lines.push(
      `  <rect class="p${index}" x="${px(left)}" y="${top}" width="10" height="10"/>`,
      `  <text class="soft" x="${px(left + 16)}" y="${top + 10}">${xml(`${part.name} ${label(part.value)}`)}</text>`,
    );
  });
  return lines;
}

/** What a person who does not see the chart is told. */
function describe(title: string, bars: readonly Bar[], label: Format): string {
  return `${title}: ${bars.map(({ name, value }) => `${name} ${label(value)}`).join(', ')}`;
}

function sum(parts: readonly Part[]): number {
  return parts.reduce((total, { value }) => total + value, 0);
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

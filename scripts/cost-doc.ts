/** Writes the figures of docs/cost.md: `node scripts/cost-doc.ts`, after a change of a budget or a price. A test compares. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BUDGETED, BUDGETS, type Budgeted, UNWATCHED_FRAMES_PER_MINUTE } from '#shared/cost-model';
import {
  CLOSE_FRAME,
  DAYS_PER_MONTH,
  ESTIMATES,
  type Fleet,
  fleetCost,
  freeJobs,
  KEPT_DAYS,
  usdOf,
} from '#shared/fleet-cost';
import { CAUSE_NAMES, costText, DEFAULT_FLEET } from '../wrapper/src/cli/subcommands/cost.ts';
import { ROOT } from './local/paths.ts';
import { withPart } from './written-parts.ts';

export const COST_DOC = join(ROOT, 'docs', 'cost.md');

const FLEET_SIZES = [10, 100, 1_000];
const MINUTES_PER_MONTH = DAYS_PER_MONTH * 24 * 60;
const LINES_OF_A_DAY_KIB = (24 * 60 * 60 * ESTIMATES.bytesPerLine) / 1024;

/** The same for all: little is watched. */
const USUAL = { watchers: DEFAULT_FLEET.watchers, hasBucket: DEFAULT_FLEET.hasBucket };
const TALKATIVE = { ...USUAL, runsPerDay: 1, minutesPerRun: 1_440, outputKibPerRun: LINES_OF_A_DAY_KIB };
const PROFILES: Readonly<Record<string, Omit<Fleet, 'jobs' | 'killsPerDay'>>> = {
  'once a day, an hour, 256 KiB': { ...USUAL, runsPerDay: 1, minutesPerRun: 60, outputKibPerRun: 256 },
  'every hour, 5 minutes, 16 KiB': { ...USUAL, runsPerDay: 24, minutesPerRun: 5, outputKibPerRun: 16 },
  'every 5 minutes, 1 minute, 2 KiB': { ...USUAL, runsPerDay: 288, minutesPerRun: 1, outputKibPerRun: 2 },
  'all the time, silent': { ...USUAL, runsPerDay: 1, minutesPerRun: 1_440, outputKibPerRun: 0 },
  'all the time, a line a second': TALKATIVE,
  'the same, old output in a bucket': { ...TALKATIVE, hasBucket: true },
};

/** The parts of the document that are written by this program, by the name in their markers. */
const PARTS: Readonly<Record<string, () => string>> = {
  budgets: budgetTable,
  months: monthTable,
  fleets: fleetTable,
  free: freeTable,
  estimates: estimateList,
  example: () => `\`\`\`\n$ leash cost --jobs 1000\n${costText({ ...DEFAULT_FLEET, jobs: 1_000 })}\`\`\``,
};

/** The document with its figures as of now. */
export function withFigures(text: string): string {
  return Object.entries(PARTS).reduce((document, [name, write]) => withPart(document, name, write()), text);
}

function budgetTable(): string {
  const rows = (Object.keys(BUDGETS) as Budgeted[]).map((line) => {
    const { objectRows, d1Rows, alarms, requests } = BUDGETS[line];
    return [BUDGETED[line], ...[objectRows, d1Rows, alarms, requests].map(String), usdText(usdOf(BUDGETS[line]))];
  });
  return markdownTable(['', 'object rows', 'D1 rows', 'alarms', 'requests', 'dollars'], rows);
}

function monthTable(): string {
  const frames = UNWATCHED_FRAMES_PER_MINUTE * MINUTES_PER_MONTH;
  const [written, removed] = [usdOf(BUDGETS.lineASecondMinute) * MINUTES_PER_MONTH, usdOf({ objectRows: 1 }) * frames];
  const hours = DAYS_PER_MONTH * 24;
  const rows = [
    ['1,000 short runs', '1,000 × (short run + removal)', 1_000 * (usdOf(BUDGETS.shortRun) + usdOf(BUDGETS.removal))],
    ['a silent run, a month', `${hours} × silent hour`, hours * usdOf(BUDGETS.silentHour)],
    [
      'a line a second, unwatched, a month',
      `${countText(MINUTES_PER_MONTH)} × minute, and one row for the removal of each of ${countText(frames)} frames`,
      written + removed,
    ],
    ['5 MB/s for an hour', '3,600 × second, without its removal', 3_600 * usdOf(BUDGETS.fastSecond)],
    [
      'one watcher of a line a second, a month',
      `60 frames a minute instead of ${UNWATCHED_FRAMES_PER_MINUTE}, each with ${CLOSE_FRAME.objectRows.toFixed(1)} rows, removal included`,
      60 * MINUTES_PER_MONTH * usdOf(CLOSE_FRAME),
    ],
    ['1,000 kills', '1,000 × kill', 1_000 * usdOf(BUDGETS.kill)],
  ] as const;
  return markdownTable(
    ['', 'what', 'dollars'],
    rows.map(([name, what, usd]) => [name, what, usdText(usd)]),
  );
}

function fleetTable(): string {
  const rows = profiles(({ name, of }) => {
    const largest = fleetCost(of(Math.max(...FLEET_SIZES)));
    const [first, second] = largest.causes;
    return [
      name,
      ...FLEET_SIZES.map((jobs) => `$${fleetCost(of(jobs)).usd.toFixed(2)}`),
      [first, second].map((cause) => (cause === undefined ? '' : CAUSE_NAMES[cause.cause])).join(', '),
    ];
  });
  const sizes = FLEET_SIZES.map((jobs) => `${countText(jobs)} jobs`);
  return markdownTable(['each job runs', ...sizes, 'most of it for'], rows);
}

function freeTable(): string {
  const rows = profiles(({ name, of }) => {
    const jobs = freeJobs({ ...of(1), watchers: 0 });
    const scarcest = fleetCost({ ...of(jobs + 1), watchers: 0 }).freeShares[0]?.billed;
    return [name, countText(jobs), scarcest === undefined ? '' : (FREE_LIMITS[scarcest] ?? scarcest)];
  });
  return markdownTable(['each job runs', 'jobs', 'the limit that is reached first'], rows);
}

const FREE_LIMITS: Readonly<Record<string, string>> = {
  objectRowsWritten: '100,000 rows written by objects a day',
  objectRequests: '100,000 requests of objects a day',
  objectDuration: '13,000 GB-s a day',
  objectStorage: '5 GB stored by objects',
  d1RowsWritten: '100,000 rows written by D1 a day',
  d1Storage: '500 MB stored by D1',
  workerRequests: '100,000 requests of the Worker a day',
};

function estimateList(): string {
  return [
    `an object is awake for ${ESTIMATES.secondsPerRequest} s for each request, with the D1 queries that it waits for`,
    `a wrapper reconnects ${ESTIMATES.reconnectsPerDay === 1 ? 'once' : ESTIMATES.reconnectsPerDay} in a day of running time`,
    `a run prints all the time, a line of ${ESTIMATES.bytesPerLine} bytes at a time, which is the dearest way`,
    `D1 stores ${ESTIMATES.d1KbPerRow} KB of a run or a kill, for ${KEPT_DAYS} days`,
    `an object stores ${ESTIMATES.objectKbPerRun} KB of a run besides its output, ${ESTIMATES.objectKbPerFrame} KB of a frame besides its bytes, and ${ESTIMATES.objectKbPerJob} KB in any case`,
    `a month has ${DAYS_PER_MONTH} days`,
  ]
    .map((estimate) => `- ${estimate}`)
    .join('\n');
}

function profiles<Row>(describe: (profile: { name: string; of: (jobs: number) => Fleet }) => Row): Row[] {
  return Object.entries(PROFILES).map(([name, profile]) =>
    describe({ name, of: (jobs) => ({ jobs, killsPerDay: jobs / 100, ...profile }) }),
  );
}

/** Two digits that count. */
function usdText(usd: number): string {
  return usd >= 1
    ? `$${usd.toFixed(2)}`
    : `$${Number(usd.toPrecision(2)).toFixed(Math.max(2, 1 - Math.floor(Math.log10(usd))))}`;
}

function countText(count: number): string {
  return count.toLocaleString('en-US');
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`.replace('|  |', '| |');
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

if (import.meta.main) await writeFile(COST_DOC, withFigures(await readFile(COST_DOC, 'utf8')));

/** `leash cost`: what a fleet costs a month. It asks no control plane. */
import { type Cause, type Fleet, type FleetCost, fleetCost, freeJobs } from '#shared/fleet-cost';
import { BILLED, type Billed, PLAN_USD_PER_MONTH, PRICES, PRICES_AS_OF, usdBeyondIncluded } from '#shared/prices';
import { amount, readFlags } from '../flags.ts';
import { defineSubcommand } from '../subcommand.ts';

const HELP = `leash cost: estimate what a fleet of jobs costs a month on Cloudflare.

Usage:
  leash cost [options]

Prints requests, rows, duration and storage of a month with their price on the paid plan, what they
are for, and whether the free plan is enough. It connects to nothing.

Example: 1,000 jobs that run for a minute every five minutes
  leash cost --jobs 1000 --runs-per-day 288 --minutes 1 --output 4

Options:
  --jobs N               the number of jobs; default 100
  --runs-per-day N       runs of each job a day; default 24
  --minutes N            how long a run takes, in minutes; default 5
  --output N             what a run prints, in KiB; default 16
  --watchers N           open dashboards that show a running job's output, on average over day and
                         night; default 0.1, which is 2.4 hours a day
  --kills-per-day N      kills a day, of all jobs together; default 1
  --bucket               an R2 bucket is bound, to which the output of ended runs moves
  --json                 print JSON
  -h, --help             print this text
`;

interface CostOptions {
  readonly fleet: Fleet;
  readonly asJson: boolean;
}

/** What `leash cost` computes with where no flag says otherwise: as its help says. */
export const DEFAULT_FLEET: Fleet = {
  jobs: 100,
  runsPerDay: 24,
  minutesPerRun: 5,
  outputKibPerRun: 16,
  watchers: 0.1,
  killsPerDay: 1,
  hasBucket: false,
};

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

export function parseCost(argv: readonly string[]): CostOptions | null {
  const flags = readFlags(
    argv,
    {
      jobs: text,
      'runs-per-day': text,
      minutes: text,
      output: text,
      watchers: text,
      'kills-per-day': text,
      bucket: flag,
      json: flag,
      help: { ...flag, short: 'h' },
    },
    'leash cost takes no arguments: the fleet is described by flags',
  );
  if (flags.help) return null;
  return {
    fleet: {
      jobs: amount('--jobs', flags.jobs, DEFAULT_FLEET.jobs),
      runsPerDay: amount('--runs-per-day', flags['runs-per-day'], DEFAULT_FLEET.runsPerDay),
      minutesPerRun: amount('--minutes', flags.minutes, DEFAULT_FLEET.minutesPerRun),
      outputKibPerRun: amount('--output', flags.output, DEFAULT_FLEET.outputKibPerRun),
      watchers: amount('--watchers', flags.watchers, DEFAULT_FLEET.watchers),
      killsPerDay: amount('--kills-per-day', flags['kills-per-day'], DEFAULT_FLEET.killsPerDay),
      hasBucket: flags.bucket ?? DEFAULT_FLEET.hasBucket,
    },
    asJson: flags.json ?? false,
  };
}

export const subcommand = defineSubcommand({
  help: HELP,
  parse: parseCost,
  run: ({ fleet, asJson }) => {
    process.stdout.write(asJson ? `${JSON.stringify(costJson(fleet), null, 2)}\n` : costText(fleet));
    return 0;
  },
});

export function costJson(fleet: Fleet): object {
  const { usage, usd, causes, freeShares } = fleetCost(fleet);
  return inSnakeCase({
    fleet,
    usage,
    usd,
    causes,
    freePlan: { isEnough: isEnough(freeShares), jobs: freeJobs(fleet), shares: freeShares },
    pricesAsOf: PRICES_AS_OF,
  });
}

const BILLED_NAMES: Readonly<Record<Billed, string>> = {
  workerRequests: 'Worker requests',
  objectRequests: 'object requests',
  objectDuration: 'object duration, GB-s',
  objectRowsWritten: 'object rows written',
  objectRowsRead: 'object rows read',
  objectStorage: 'object storage, GB',
  d1RowsWritten: 'D1 rows written',
  d1RowsRead: 'D1 rows read',
  d1Storage: 'D1 storage, GB',
  r2Storage: 'R2 storage, GB',
  r2ClassA: 'R2 writes',
  r2ClassB: 'R2 reads',
};

export const CAUSE_NAMES: Readonly<Record<Cause, string>> = {
  runs: 'starts and ends of runs',
  removal: 'removal of old runs',
  running: 'running time',
  output: 'output',
  reconnects: 'reconnects',
  kills: 'kills',
  watchers: 'watchers',
  upkeep: 'upkeep',
  storage: 'storage',
};

export function costText(fleet: Fleet): string {
  const cost = fleetCost(fleet);
  return [fleetText(fleet), '', ...billLines(cost), '', ...causeLines(cost), '', freePlanText(fleet, cost), '', NOTE]
    .map((line) => `${line}\n`)
    .join('');
}

const NOTE = `Cloudflare's prices as of ${PRICES_AS_OF}. Rows and requests are those that the tests of Leash allow;
how long objects are awake, and how much they store, is estimated. See docs/cost.md.`;

function fleetText(fleet: Fleet): string {
  const { jobs, runsPerDay, minutesPerRun, outputKibPerRun, watchers, killsPerDay, hasBucket } = fleet;
  const runs = `${countText(runsPerDay, 'run')} a day of ${countText(minutesPerRun, 'minute')}`;
  const others = `${countText(watchers, 'watcher')}, ${countText(killsPerDay, 'kill')} a day`;
  return `${countText(jobs, 'job')}, each with ${runs} and ${outputKibPerRun} KiB of output;
${others}${hasBucket ? ', old output in a bucket' : ''}`;
}

/** `1 kill`, `0.5 kills`. */
function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function billLines({ usage, usd }: FleetCost): string[] {
  const used = BILLED.filter((billed) => (usage[billed] ?? 0) > 0);
  return table([
    ['Paid plan, a month', 'used', 'included', 'USD'],
    ...used.map((billed) => [
      BILLED_NAMES[billed],
      amountText(usage[billed] ?? 0),
      amountText(PRICES[billed].included),
      usdText(usdBeyondIncluded(billed, usage[billed] ?? 0)),
    ]),
    ['the plan', '', '', usdText(PLAN_USD_PER_MONTH)],
    ['in all', '', '', usdText(usd)],
  ]);
}

function causeLines({ causes }: FleetCost): string[] {
  const total = causes.reduce((sum, { usd }) => sum + usd, 0);
  return table([
    ['What it is for, if nothing were included', 'USD', 'share'],
    ...causes
      .filter(({ usd }) => usd > 0)
      .map(({ cause, usd }) => [CAUSE_NAMES[cause], usdText(usd), `${Math.round((100 * usd) / total)} %`]),
  ]);
}

function freePlanText(fleet: Fleet, { freeShares }: FleetCost): string {
  const [scarcest] = freeShares;
  const used = scarcest === undefined ? '' : `${percentText(scarcest.share)} of its ${BILLED_NAMES[scarcest.billed]}`;
  return isEnough(freeShares)
    ? `Free plan: enough, with ${used}`
    : `Free plan: not enough, it would take ${used}\nIt is enough for ${countText(freeJobs(fleet), 'such job')}`;
}

function isEnough(shares: FleetCost['freeShares']): boolean {
  return shares.every(({ share }) => share <= 1);
}

/** The first column is text, the others are numbers. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart((widths[column] ?? 0) + 2)))
      .join(''),
  );
}

function amountText(amount: number): string {
  const digits = amount < 100 && !Number.isInteger(amount) ? 2 : 0;
  return amount.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function usdText(usd: number): string {
  return usd.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

function percentText(share: number): string {
  return `${Math.max(1, Math.round(100 * share)).toLocaleString('en-US')} %`;
}

/** With six decimal places: the others come from the arithmetic of computers. */
function inSnakeCase(value: unknown): object {
  return JSON.parse(
    JSON.stringify(value, (_key, each: unknown) => {
      if (typeof each === 'number') return Number(each.toFixed(6));
      return typeof each === 'object' && each !== null && !Array.isArray(each)
        ? Object.fromEntries(Object.entries(each).map(([key, inner]) => [snakeCase(key), inner]))
        : each;
    }),
  );
}

/** `d1RowsWritten` is `d1_rows_written`. */
function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Cloudflare's price list, as far as Leash uses what is on it. */

/** When the prices were last compared with the pages in {@link PRICE_SOURCES}. */
export const PRICES_AS_OF = '2026-11';

export const PRICE_SOURCES = [
  'https://developers.cloudflare.com/workers/platform/pricing/',
  'https://developers.cloudflare.com/durable-objects/platform/pricing/',
  'https://developers.cloudflare.com/d1/platform/pricing/',
  'https://developers.cloudflare.com/r2/pricing/',
] as const;

/** The paid plan's price, which contains what is included. */
export const PLAN_USD_PER_MONTH = 5;

/** This many messages that a Durable Object receives over WebSockets are billed as one request. Sent ones are free. */
export const MESSAGES_PER_REQUEST = 20;

/** The memory that an object's duration is billed for, whatever it uses. */
export const OBJECT_GB = 0.128;

/** What one thing costs. */
export interface Price {
  /** The price of `per` units, above what is included. */
  readonly usd: number;
  readonly per: number;
  /** In the paid plan, a month. */
  readonly included: number;
  /** The free plan's limit: a day, or for what is stored, in all. */
  readonly free: number;
}

const million = 1_000_000;
const billion = 1_000 * million;

export const PRICES = {
  workerRequests: { usd: 0.3, per: million, included: 10 * million, free: 100_000 },
  /** RPC calls, alarms and HTTP requests; incoming messages by {@link MESSAGES_PER_REQUEST}. */
  objectRequests: { usd: 0.15, per: million, included: million, free: 100_000 },
  /** GB-seconds: {@link OBJECT_GB} times the seconds in which an object can't hibernate. */
  objectDuration: { usd: 12.5, per: million, included: 400_000, free: 13_000 },
  objectRowsWritten: { usd: 1, per: million, included: 50 * million, free: 100_000 },
  objectRowsRead: { usd: 0.001, per: million, included: 25 * billion, free: 5 * million },
  /** GB-months. */
  objectStorage: { usd: 0.2, per: 1, included: 5, free: 5 },
  d1RowsWritten: { usd: 1, per: million, included: 50 * million, free: 100_000 },
  d1RowsRead: { usd: 0.001, per: million, included: 25 * billion, free: 5 * million },
  /** GB-months. */
  d1Storage: { usd: 0.75, per: 1, included: 5, free: 5 },
  /** GB-months. */
  r2Storage: { usd: 0.015, per: 1, included: 10, free: 10 },
  /** Operations that write or list. R2's free amounts are those of a month. */
  r2ClassA: { usd: 4.5, per: million, included: million, free: million / 30 },
  /** Operations that read. */
  r2ClassB: { usd: 0.36, per: million, included: 10 * million, free: (10 * million) / 30 },
} as const satisfies Record<string, Price>;

export type Billed = keyof typeof PRICES;

/** How much of each thing was used; what is missing was not. */
export type Usage = Partial<Record<Billed, number>>;

export const BILLED = Object.keys(PRICES) as Billed[];

/** What the usage costs in dollars where nothing of it is included: what one run more costs a fleet that has used that up. */
export function marginalUsd(usage: Usage): number {
  return BILLED.reduce((sum, billed) => sum + usd(billed, usage[billed] ?? 0), 0);
}

/** The bill of a month on the paid plan in dollars, with the plan itself. */
export function monthlyUsd(usage: Usage): number {
  const beyond = BILLED.map((billed) => usdBeyondIncluded(billed, usage[billed] ?? 0));
  return beyond.reduce((sum, part) => sum + part, PLAN_USD_PER_MONTH);
}

/** The shares of the free plan's limits that a day's usage takes, the largest first. Above 1, calls of that kind fail. */
export function freePlanShares(usagePerDay: Usage): { readonly billed: Billed; readonly share: number }[] {
  return BILLED.map((billed) => ({ billed, share: (usagePerDay[billed] ?? 0) / PRICES[billed].free }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share);
}

/** What an amount costs in a month on the paid plan, besides the plan itself. */
export function usdBeyondIncluded(billed: Billed, amount: number): number {
  return usd(billed, Math.max(0, amount - PRICES[billed].included));
}

function usd(billed: Billed, amount: number): number {
  const { usd, per } = PRICES[billed];
  return (amount / per) * usd;
}

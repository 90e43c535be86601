/** How long recent kills took to each machine, hop by hop. */
import { firstUlid } from './first-ulid.ts';

/** When a kill passed each, since its request. */
export const HOPS = ['stored', 'sent', 'received', 'first_signal', 'gone'] as const;
export type Hop = (typeof HOPS)[number];

const QUANTILES = [0.5, 0.99] as const;

/** Quantiles of recent kills on one machine at one hop. */
export interface HopTimes {
  readonly machine: string;
  readonly hop: Hop;
  readonly quantiles: readonly { readonly quantile: number; readonly ms: number }[];
}

/** Scraping must cost the same however many kills there have been. */
const WITHIN_MS = 24 * 60 * 60 * 1000;
const MAX_KILLS = 1_000;
const MAX_TARGETS = 10_000;
const MAX_MACHINES = 100;

type Row = { readonly machine: string } & { readonly [Name in Hop]: number | null };

/** The targets of the newest kills of the last day that report times, newest kill first. */
export function killHops(db: D1Database, now: number): D1PreparedStatement {
  return db
    .prepare(
      `SELECT value ->> '$.machine' AS machine, recent.stored, value ->> '$.timing.sent_ms' AS sent,
         value ->> '$.timing.received_ms' AS received, value ->> '$.timing.first_signal_ms' AS first_signal,
         value ->> '$.timing.last_process_gone_ms' AS gone
       FROM (SELECT resource, resource ->> '$.stored_ms' AS stored FROM kills WHERE id > ?
             ORDER BY id DESC LIMIT ${MAX_KILLS}) AS recent,
         json_each(recent.resource, '$.targets')
       WHERE value ->> '$.timing' IS NOT NULL LIMIT ${MAX_TARGETS}`,
    )
    .bind(firstUlid(now - WITHIN_MS));
}

/** The quantiles of each machine, of the machines with the most kills. @param rows from `killHops` */
export function hopTimes(rows: readonly unknown[]): HopTimes[] {
  const byMachine = new Map<string, Row[]>();
  for (const row of rows as readonly Row[]) {
    const known = byMachine.get(row.machine);
    if (known === undefined) byMachine.set(row.machine, [row]);
    else known.push(row);
  }
  return [...byMachine]
    .sort(([, first], [, second]) => second.length - first.length)
    .slice(0, MAX_MACHINES)
    .flatMap(([machine, targets]) =>
      HOPS.flatMap((hop) => {
        const times = targets.flatMap((target) => target[hop] ?? []).sort((first, second) => first - second);
        return times.length === 0 ? [] : [{ machine, hop, quantiles: quantilesOf(times) }];
      }),
    );
}

/** By nearest rank: each is a time that was measured. */
function quantilesOf(sorted: readonly number[]): HopTimes['quantiles'] {
  return QUANTILES.map((quantile) => ({ quantile, ms: sorted[Math.ceil(quantile * sorted.length) - 1] ?? 0 }));
}

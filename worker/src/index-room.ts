/** Makes room in D1 before it is full: the oldest ended runs leave the index. Their jobs' objects keep them. */
import { indexBytes, indexLimits } from '../shared/d1/index-size.ts';
import { purgeStaleKills } from '../shared/d1/kills.ts';
import { purgeOverdueRuns } from '../shared/d1/overdue-runs.ts';
import { oldestEndedRunStart, purgeLastEnds, purgeOldestRuns } from '../shared/d1/runs.ts';
import type { Env } from '../shared/env.ts';
import { log } from '../shared/log.ts';
import { readSettings } from '../shared/settings.ts';

/** A limit for each statement, because D1 executes one at a time. */
const ROWS_PER_STATEMENT = 1_000;
/** The next sweep continues. */
const STATEMENTS_PER_SWEEP = 5;

export async function makeRoom(env: Env): Promise<void> {
  const { removalBytes, removedBytes, maxBytes } = indexLimits(readSettings(env).d1MaxBytes);
  let bytes = await indexBytes(env.DB);
  if (bytes < removalBytes) return;
  let runs = 0;
  for (let count = 0; count < STATEMENTS_PER_SWEEP && bytes >= removedBytes; count++) {
    const { meta } = await purgeOldestRuns(env.DB, ROWS_PER_STATEMENT).run();
    if (meta.changes === 0) break;
    runs += meta.changes;
    bytes = meta.size_after;
  }
  if (runs > 0) await purgeLastEnds(env.DB).run();
  const kills = await removeOlderThanRuns(env.DB);
  log.warn('index_trimmed', { runs, kills, bytes, max_bytes: maxBytes });
}

/** What is as old as the runs that have left. @returns how many kills that were */
async function removeOlderThanRuns(db: D1Database): Promise<number> {
  const before = (await oldestEndedRunStart(db)) ?? Date.now();
  await purgeOverdueRuns(db, before, ROWS_PER_STATEMENT).run();
  const { meta } = await purgeStaleKills(db, before, ROWS_PER_STATEMENT).run();
  return meta.changes;
}

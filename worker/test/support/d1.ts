/** What D1 has, and outages of D1. */

import { waitFor } from '#testing/wait-for';
import { env } from './env.ts';

/** The state of a run as D1 has it. */
export async function indexedState(id: string): Promise<string | undefined> {
  const row = await env.DB.prepare('SELECT state FROM runs WHERE id = ?').bind(id).first<{ state: string }>();
  return row?.state;
}

export async function indexed(id: string): Promise<void> {
  await waitFor('D1 to know the run', () => indexedState(id));
}

/** Until it ends, every query of these tables fails, as in an outage of D1. */
export async function without(tables: readonly string[], what: () => Promise<void>): Promise<void> {
  for (const table of tables) await env.DB.exec(`ALTER TABLE ${table} RENAME TO ${table}_away`);
  try {
    await what();
  } finally {
    for (const table of tables) await env.DB.exec(`ALTER TABLE ${table}_away RENAME TO ${table}`);
  }
}

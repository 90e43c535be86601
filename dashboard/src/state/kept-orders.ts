/**
 * What was ordered to stop from this tab, kept over a reload: a phone that was put away loads its pages anew, and whoever
 * ordered a kill must not be left to wonder whether it got through.
 */
import * as v from 'valibot';
import { KillRequest, Run, type Session } from '#protocol/api';
import type { KillOrder } from './kill-orders.ts';

const KEY = 'leash.orders';

const Scope = v.variant('kind', [
  v.object({ kind: v.literal('runs'), runs: v.array(v.pick(Run, ['id', 'job', 'machine'])) }),
  v.object({ kind: v.literal('job'), job: v.string(), runs: v.array(v.pick(Run, ['id', 'job', 'machine'])) }),
]);

const Failure = v.variant('kind', [
  v.object({ kind: v.literal('problem'), status: v.number(), code: v.string(), detail: v.string() }),
  v.object({ kind: v.literal('unreachable'), detail: v.string() }),
  v.object({ kind: v.literal('unreadable'), detail: v.string() }),
]);

const State = v.variant('kind', [
  v.object({ kind: v.literal('sending') }),
  v.object({ kind: v.literal('failed'), failure: Failure, kills: v.array(v.string()) }),
  v.object({ kind: v.literal('stored'), kills: v.array(v.string()) }),
]);

/** What is sent again must be the same, to the letter. */
const { signal, grace_seconds, include, reason } = KillRequest.entries;
const Manner = v.object({
  signal: v.exactOptional(signal.wrapped),
  grace_seconds: v.exactOptional(grace_seconds.wrapped),
  include: v.exactOptional(include.wrapped),
  reason: v.exactOptional(reason.wrapped),
});

const Kept = v.object({
  owner: v.string(),
  orders: v.array(
    v.object({
      id: v.string(),
      scope: Scope,
      manner: Manner,
      state: State,
    }),
  ),
});

/** @param who whose orders they are: nobody else is shown them */
export function keepOrders(orders: readonly KillOrder[], who: Session): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ owner: ownerOf(who), orders }));
  } catch {
    // Refused by the browser, or more than it keeps: then they are not kept, and "Kills" has them. Nor are older ones.
    dropKeptOrders();
  }
}

export function dropKeptOrders(): void {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Refused by the browser: then nothing was kept.
  }
}

/** What was kept for them; none if it was kept for somebody else, or can't be read. */
export function keptOrders(who: Session): readonly KillOrder[] {
  let text: string | null;
  try {
    text = sessionStorage.getItem(KEY);
  } catch {
    // As above.
    return [];
  }
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), Kept), text);
  return parsed.success && parsed.output.owner === ownerOf(who) ? parsed.output.orders : [];
}

/** As much as a session tells of its token. */
function ownerOf({ name, scopes, jobs }: Session): string {
  return JSON.stringify([name, scopes, jobs]);
}

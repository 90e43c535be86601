/** Whether there is more in the audit by now than was read. Pure. */
import type { AuditEntry } from '#protocol/api';
import type { Kills } from '../../state/store.ts';

export interface AuditFilter {
  readonly actor: string | null;
  readonly action: string | null;
  readonly subject: string | null;
}

/** How wrong the page's idea of the control plane's time may be. */
const CLOCK_MS = 2_000;

/** How many kills have been heard of since that the list would hold. Of other deeds nothing is pushed. */
export function newerKills(entries: readonly AuditEntry[], readAt: number, heard: Kills, filter: AuditFilter): number {
  if (filter.action !== null && filter.action !== 'kill') return 0;
  const listed = new Set(entries.map(({ detail }) => detail.kill));
  return [...heard.values()].filter(
    ({ id, job, requested_at }) =>
      Date.parse(requested_at) > readAt - CLOCK_MS &&
      !listed.has(id) &&
      (filter.subject === null || filter.subject === job) &&
      // A kill names its requester, and names are not unique.
      filter.actor === null,
  ).length;
}

/** `leash audit`. */
import * as v from 'valibot';
import { AUDIT_ACTIONS, type AuditAction, AuditEntry } from '#protocol/api';
import type { ApiClient, Received } from '../../operator/api-client.ts';
import { auditText } from '../../operator/audit-text.ts';
import { EXIT } from '../../operator/exit-codes.ts';
import { shortId } from '../../operator/find-run.ts';
import { take } from '../../operator/list-runs.ts';
import { relativeTime } from '../../operator/relative-time.ts';
import type { Column } from '../../operator/table.ts';
import { count, type Moment, moment, momentText, oneOf } from '../flags.ts';
import { defineOperatorSubcommand, operatorHelp } from '../operator-subcommand.ts';

const DEFAULT_LIMIT = 50;

const HELP = `leash audit: list who did what: kills, changes of tokens, sign-ins, denied requests.

Usage:
  leash audit [options]

Prints entries, newest first. Requires a token with the scope admin for all jobs.

Options:
  --action ACTION        only this: kill, token_created, token_rotated, token_deleted, signed_in,
                         signed_out, refused, run_conflict
  --actor ID             only what this token did: its id
  --subject TEXT         only entries about this job, token id or operation
  --since TIME           only entries after TIME: 2h, 3d, 2026-01-31, 2026-01-31T12:00:00Z
  -n, --limit N          at most N; default ${DEFAULT_LIMIT}, with --since no limit
${operatorHelp()}`;

interface AuditOptions {
  readonly action: AuditAction | null;
  readonly actor: string | null;
  readonly subject: string | null;
  readonly since: Moment | null;
  readonly limit: number;
}

/** A newer control plane may have more actions. */
const Entry = v.object({ ...AuditEntry.entries, action: v.string() });
type Entry = v.InferOutput<typeof Entry>;

const text = { type: 'string' } as const;

export const subcommand = defineOperatorSubcommand({
  help: HELP,
  flags: { action: text, actor: text, subject: text, since: text, limit: { ...text, short: 'n' } },
  onWord: 'leash audit takes no arguments',
  read: (flags): AuditOptions => ({
    action: oneOf('--action', AUDIT_ACTIONS, flags.action),
    actor: flags.actor ?? null,
    subject: flags.subject ?? null,
    since: moment('--since', flags.since),
    limit: count('--limit', flags.limit, flags.since === undefined ? DEFAULT_LIMIT : Number.POSITIVE_INFINITY),
  }),
  run: async (options, { api, output }) => {
    const entries = await take(readEntries(options, api), options.limit);
    if (options.asJson) output.json(entries.map(({ raw }) => raw));
    else if (entries.length === 0) output.note('no entries');
    else {
      const isTerminal = output.terminal.columns !== null;
      output.table(
        columns(api.now(), isTerminal),
        entries.map(({ value }) => value),
      );
    }
    return EXIT.done;
  },
});

/** Denied requests of an hour share an entry, which stays where it was stored first. */
const SHARED_MS = 2 * 60 * 60 * 1000;

async function* readEntries(
  { action, actor, subject, since, limit }: AuditOptions,
  api: ApiClient,
): AsyncGenerator<Received<Entry>, void, undefined> {
  const sinceMs = since === null ? 0 : Date.parse(momentText(since, api.now()));
  for await (const entry of api.list(Entry, 'audit', { path: '/audit', query: { action, actor, subject } }, limit)) {
    if (Date.parse(entry.value.at) < sinceMs - SHARED_MS) return;
    if (Date.parse(entry.value.last_at) >= sinceMs) yield entry;
  }
}

function columns(nowMs: number, isTerminal: boolean): readonly Column<Entry>[] {
  return [
    {
      header: 'WHEN',
      text: ({ last_at }) => (isTerminal ? relativeTime(last_at, nowMs) : last_at),
      style: () => 'dim',
    },
    {
      header: 'WHO',
      text: ({ actor, action }) => actor?.name ?? (action === 'run_conflict' ? 'the control plane' : 'unknown'),
      leastWidth: 10,
    },
    {
      header: 'WHAT',
      text: (entry) => (isTerminal ? auditText(entry, shortId) : auditText(entry)),
      style: ({ action }) => (action === 'refused' ? 'yellow' : null),
      leastWidth: 60,
    },
    { header: 'FROM', text: ({ address }) => address ?? '', leaveOut: 1 },
  ];
}

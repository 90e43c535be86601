/** `leash kills`. */

import * as v from 'valibot';
import { Kill, type Target } from '#protocol/api';
import { KILL_STATES, type KillState } from '#protocol/kill';
import { JobName, KillId } from '#protocol/names';
import { formatDuration } from '#shared/format-duration';
import type { ApiClient, Received } from '../../operator/api-client.ts';
import { EXIT, type ExitCode } from '../../operator/exit-codes.ts';
import { hasPart, isPartOfId, shortId } from '../../operator/find-run.ts';
import { killManner, killScope, killStateText, styleOfKill, targetText } from '../../operator/kill-text.ts';
import { take } from '../../operator/list-runs.ts';
import { OperatorError } from '../../operator/operator-error.ts';
import type { Output } from '../../operator/output.ts';
import { exactTime, relativeTime } from '../../operator/relative-time.ts';
import type { Column } from '../../operator/table.ts';
import type { Terminal } from '../../operator/terminal.ts';
import { count, listed, name, oneOf, UsageError } from '../flags.ts';
import { defineOperatorSubcommand, operatorHelp, type SharedArguments } from '../operator-subcommand.ts';

const DEFAULT_LIMIT = 20;
/** How many of the newest kills are searched for a part of an id. */
const SEARCHED_KILLS = 500;
/** How many of them are listed where several match. */
const LISTED = 10;

const HELP = `leash kills: list kills, or show one with its progress at each run.

Usage:
  leash kills [options]
  leash kills [options] ID

Lists kills, newest first. ID is a kill's id, or the end of it, as the list shows it (at least
4 characters).

Options:
  --job JOB              only kills of this job
  --state STATE          only in this state: queued, delivered, settled, expired; may be repeated,
                         or several with commas
  -n, --limit N          at most N; default ${DEFAULT_LIMIT}
${operatorHelp()}`;

interface KillsOptions extends SharedArguments {
  readonly job: string | null;
  readonly states: readonly KillState[];
  readonly limit: number;
}

export const subcommand = defineOperatorSubcommand({
  help: HELP,
  flags: {
    job: { type: 'string' },
    state: { type: 'string', multiple: true },
    limit: { type: 'string', short: 'n' },
  },
  read: (flags, [id, ...others]) => {
    if (others.length > 0) throw new UsageError('leash kills takes one ID at most');
    return {
      id: id === undefined ? null : id.toUpperCase(),
      job: flags.job === undefined ? null : name('--job', JobName, flags.job),
      states: listed(flags.state).flatMap((state) => oneOf('--state', KILL_STATES, state) ?? []),
      limit: count('--limit', flags.limit, DEFAULT_LIMIT),
    };
  },
  run: (options, { api, output }) =>
    options.id === null ? showKills(options, api, output) : showKill(options.id, options, api, output),
});

async function showKills(
  { job, states, limit, asJson }: KillsOptions,
  api: ApiClient,
  output: Output,
): Promise<ExitCode> {
  const call = { path: '/kills', query: { job, state: states.join(',') } };
  const kills = await take(api.list(Kill, 'kills', call, limit), limit);
  if (asJson) output.json(kills.map(({ raw }) => raw));
  else if (kills.length === 0) output.note('no kills');
  else
    output.table(
      columns(api.now(), output.terminal),
      kills.map(({ value }) => value),
    );
  return EXIT.done;
}

function columns(nowMs: number, terminal: Terminal): readonly Column<Kill>[] {
  return [
    { header: 'KILL', text: ({ id }) => (terminal.columns === null ? id : shortId(id)), style: () => 'dim' },
    { header: 'STATE', text: killStateText, style: styleOfKill },
    { header: 'JOB', text: ({ job }) => job, style: () => 'bold', leastWidth: 12 },
    { header: 'RUNS', text: ({ targets }) => String(targets.length), align: 'right' },
    { header: 'OF', text: (kill) => scopeText(kill, terminal), leastWidth: 12, leaveOut: 2 },
    { header: 'REQUESTED', text: ({ requested_at }) => relativeTime(requested_at, nowMs) },
    { header: 'BY', text: ({ requested_by }) => requested_by, leastWidth: 8 },
    { header: 'REASON', text: ({ reason }) => reason ?? '', leastWidth: 10, leaveOut: 1 },
  ];
}

function scopeText(kill: Kill, { columns: room }: Terminal): string {
  return kill.run === null || room === null ? killScope(kill) : `run ${shortId(kill.run)}`;
}

async function showKill(id: string, { asJson }: SharedArguments, api: ApiClient, output: Output): Promise<ExitCode> {
  const { value: kill, raw } = await findKill(api, id);
  if (asJson) {
    output.json(raw);
    return EXIT.done;
  }
  const nowMs = api.now();
  output.fields([
    ['kill', kill.id],
    ['job', { text: kill.job, style: 'bold' }],
    ['of', killScope(kill)],
    ['state', { text: killStateText(kill), style: styleOfKill(kill) }],
    ['how', killManner(kill)],
    ['requested by', kill.requested_by],
    ['reason', kill.reason],
    ['requested', exactTime(kill.requested_at, nowMs)],
    ['expires', kill.state === 'queued' || kill.state === 'expired' ? exactTime(kill.expires_at, nowMs) : null],
    ['batch', kill.batch],
  ]);
  if (kill.targets.length > 0) {
    output.line();
    output.table(targetColumns(output.terminal), kill.targets);
  }
  return EXIT.done;
}

export function targetColumns(terminal: Terminal): readonly Column<Target>[] {
  return [
    { header: 'RUN', text: ({ run }) => (terminal.columns === null ? run : shortId(run)), style: () => 'dim' },
    { header: 'MACHINE', text: ({ machine }) => machine, leastWidth: 12 },
    { header: 'PROGRESS', text: targetText, leastWidth: 12 },
    { header: 'EXIT', text: ({ exit_code }) => (exit_code === null ? '' : String(exit_code)), align: 'right' },
    // After the request.
    hop('SENT', 'sent_ms'),
    hop('RECEIVED', 'received_ms', 1),
    hop('SIGNAL', 'first_signal_ms'),
    hop('ENDED', 'last_process_gone_ms'),
  ];
}

function hop(header: string, key: keyof NonNullable<Target['timing']>, leaveOut?: number): Column<Target> {
  const text = ({ timing }: Target) => {
    const ms = timing?.[key] ?? null;
    return ms === null ? '' : formatDuration(ms);
  };
  return { header, text, ...(leaveOut === undefined ? {} : { leaveOut }) };
}

/** @param id the whole id, or the beginning or end of one of the newest */
async function findKill(api: ApiClient, id: string): Promise<Received<Kill>> {
  if (v.is(KillId, id)) return api.get(Kill, 'kill', { path: `/kills/${id}` });
  if (!isPartOfId(id)) throw new OperatorError(`${id} is not the id of a kill. leash kills lists them.`, EXIT.usage);
  const newest = await take(api.list(Kill, 'kills', { path: '/kills' }), SEARCHED_KILLS);
  const found = newest.filter(({ value }) => hasPart(value.id, id));
  const [only] = found;
  if (only === undefined) {
    throw new OperatorError(
      `None of the newest ${SEARCHED_KILLS} kills has an id that begins or ends with ${id}. leash kills lists them.`,
      EXIT.notFound,
    );
  }
  if (found.length === 1) return api.get(Kill, 'kill', { path: `/kills/${only.value.id}` });
  const ids = found.slice(0, LISTED).map(({ value }) => value.id);
  throw new OperatorError(`${found.length} kills have such an id: ${ids.join(', ')}. Give more of it.`, EXIT.usage);
}

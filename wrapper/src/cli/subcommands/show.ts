/** `leash show`. */
import type * as v from 'valibot';
import type { About } from '#protocol/about';
import type { Job, LastEnd, Run } from '#protocol/api';
import { JobName } from '#protocol/names';
import { isLive } from '#protocol/run-state';
import { formatBytes } from '#shared/format-bytes';
import { formatDuration } from '#shared/format-duration';
import { usageText } from '#shared/usage-text';
import type { ApiClient, Received } from '../../operator/api-client.ts';
import { EventOrUnknown, eventText } from '../../operator/event-text.ts';
import { EXIT, type ExitCode } from '../../operator/exit-codes.ts';
import { expectationsOf, expectationText } from '../../operator/expectations.ts';
import { findJobOrRun, getRun, shortId } from '../../operator/find-run.ts';
import type { Output } from '../../operator/output.ts';
import { exactTime, relativeTime } from '../../operator/relative-time.ts';
import { ageText, liveColumns, stateText, styleOfRun } from '../../operator/run-table.ts';
import type { Column } from '../../operator/table.ts';
import { styleOfState } from '../../operator/terminal.ts';
import { name, UsageError } from '../flags.ts';
import { defineOperatorSubcommand, operatorHelp, type SharedArguments } from '../operator-subcommand.ts';

const HELP = `leash show: show a run with its events, or a job with its runs.

Usage:
  leash show [options] RUN
  leash show [options] JOB

RUN is a run's id, or its beginning or end (at least 4 characters), which must be that of one of the
newest 2,000 runs only. A word that is the name of a job means the job.

Options:
  --job JOB              the job of the run, where several have a run with this id
${operatorHelp()}`;

type Event = v.InferOutput<typeof EventOrUnknown>;

export const subcommand = defineOperatorSubcommand({
  help: HELP,
  flags: { job: { type: 'string' } },
  read: (flags, [word, ...others]) => {
    if (word === undefined || others.length > 0) throw new UsageError('leash show takes one argument: a run or a job');
    const job = flags.job === undefined ? null : name('--job', JobName, flags.job);
    return { word: name('RUN or JOB', JobName, word), job };
  },
  run: async (options, { api, output }) => {
    const found = await findJobOrRun(api, options.word, options.job);
    if (found.kind === 'job') return showJob(found.job, options, api, output);
    return showRun(found.run, options, api, output);
  },
});

async function showRun(
  { value: listed }: Received<Run>,
  { asJson }: SharedArguments,
  api: ApiClient,
  output: Output,
): Promise<ExitCode> {
  const ofRun = { path: `/runs/${listed.id}`, query: { job: listed.job } };
  // A list has runs as of their last change of state.
  const run = await getRun(api, listed.id, listed.job);
  const events: Received<Event>[] = [];
  for await (const event of api.list(EventOrUnknown, 'events', { ...ofRun, path: `${ofRun.path}/events` }))
    events.push(event);
  if (asJson) output.json({ run: run.raw, events: events.map(({ raw }) => raw) });
  else {
    showFields(run.value, api.now(), output);
    output.line();
    for (const { value } of events) output.line({ text: clock(value.at), style: 'dim' }, '  ', eventText(value));
  }
  return EXIT.done;
}

/** `2026-11-30 19:04:05.123Z`: steps of a kill are milliseconds apart. */
function clock(at: string): string {
  return `${at.slice(0, 10)} ${at.slice(11, 23).replace(/Z$/, '')}Z`;
}

function showFields(run: Run, nowMs: number, output: Output): void {
  const { state, reason, exit_code, command_exit_code, signal } = run;
  const own = signal ?? command_exit_code;
  const ownText = own === null || own === exit_code ? '' : ` (the command’s own: ${own})`;
  output.fields([
    ['run', run.id],
    ['job', { text: run.job, style: 'bold' }],
    ['instance', run.instance],
    ['machine', run.machine],
    [
      'state',
      { text: `${stateText(run)}${reason === null || isLive(state) ? '' : `: ${reason}`}`, style: styleOfRun(run) },
    ],
    ['exit code', exit_code === null ? null : `${exit_code}${ownText}`],
    ...askedFields(run, nowMs),
    ['ended', run.ended_at === null ? null : exactTime(run.ended_at, nowMs)],
    [ageName(run), ageText(run, nowMs)],
    ['slow since', run.slow_since === null ? null : exactTime(run.slow_since, nowMs)],
    ['disconnected', run.disconnected_since === null ? null : exactTime(run.disconnected_since, nowMs)],
    ['command', run.command_line],
    ['pid', run.pid === null ? null : String(run.pid)],
    ['user', run.user],
    ['host', run.host === null ? null : `${run.host.os}, Node.js ${run.host.node}`],
    ['limits', limitsText(run)],
    ['output', outputText(run)],
    ['took', run.usage === null ? null : usageText(run.usage) || null],
    ...aboutFields(run.about),
    [
      'left running',
      run.left_running.length === 0
        ? null
        : run.left_running.map(({ pid, command_line }) => `${pid} ${command_line}`).join(', '),
    ],
    ['wrapper', `leash ${run.wrapper_version}${run.successor === 0 ? '' : `, successor ${run.successor}`}`],
  ]);
}

type Field = readonly [name: string, value: string | null];

/** When it started; and before that, if it asked, when it did, and what was in its way. */
function askedFields({ state, asked_at, pid, fence, blocked_by, started_at }: Run, nowMs: number): Field[] {
  const started: Field = ['started', exactTime(started_at, nowMs)];
  if (asked_at === null) return [started];
  const inItsWay = blocked_by.map(({ run, machine }) => `${run} on ${machine}`).join(', ');
  return [
    ['asked', exactTime(asked_at, nowMs)],
    [state === 'waiting' ? 'waits for' : 'in its way', inItsWay || null],
    ['fence', fence === null ? null : String(fence)],
    ...(pid === null ? [] : [started]),
  ];
}

/** What the job is, where it says so. */
function aboutFields(about: About | null): (readonly [string, string | null])[] {
  if (about === null) return [];
  return [
    ['tags', about.tags.join(', ') || null],
    ['owner', about.owner],
    ['runbook', about.runbook],
    ['note', about.note],
  ];
}

function limitsText({ timeout_ms, grace_ms, kill_signal }: Run): string {
  const timeout = timeout_ms === null ? 'no timeout' : `timeout ${formatDuration(timeout_ms)}`;
  return `${timeout}; ends by ${kill_signal}, then SIGKILL after ${formatDuration(grace_ms)}`;
}

function ageName({ state, ended_at }: Run): string {
  if (ended_at !== null) return 'duration';
  return state === 'waiting' ? 'waiting' : 'age';
}

function outputText({ output_bytes, output_total_bytes }: Run): string {
  const missing = output_total_bytes === null ? 0 : output_total_bytes - output_bytes;
  return missing > 0
    ? `${formatBytes(output_bytes)} of ${formatBytes(output_total_bytes ?? 0)}`
    : formatBytes(output_bytes);
}

async function showJob(
  { value: job, raw }: Received<Job>,
  { asJson }: SharedArguments,
  api: ApiClient,
  output: Output,
): Promise<ExitCode> {
  if (asJson) {
    output.json(raw);
    return EXIT.done;
  }
  const expected = await expectationsOf(api, job.name);
  const nowMs = api.now();
  output.fields([
    ['job', { text: job.name, style: 'bold' }],
    ['first run', exactTime(job.first_seen_at, nowMs)],
    ['running', String(job.running_count)],
    ...aboutFields(job.about),
    ...expected.map((one): [string, string] => ['expected', expectationText(one, nowMs)]),
  ]);
  if (job.running.length > 0) {
    output.line();
    output.table(liveColumns(nowMs, output.terminal), job.running);
  }
  if (job.last_ends.length > 0) {
    output.line();
    output.table(lastEndColumns(nowMs, output), job.last_ends);
  }
  return EXIT.done;
}

function lastEndColumns(nowMs: number, { terminal }: Output): readonly Column<LastEnd>[] {
  return [
    { header: 'LAST RUN', text: ({ run }) => (terminal.columns === null ? run : shortId(run)), style: () => 'dim' },
    { header: 'STATE', text: ({ state }) => state, style: ({ state }) => styleOfState(state) },
    { header: 'EXIT', text: ({ exit_code }) => (exit_code === null ? '' : String(exit_code)), align: 'right' },
    { header: 'MACHINE', text: ({ machine }) => machine, leastWidth: 12 },
    { header: 'ENDED', text: ({ ended_at }) => relativeTime(ended_at, nowMs) },
  ];
}

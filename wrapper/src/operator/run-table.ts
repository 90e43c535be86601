/** Runs as rows of a table. */
import type { Run } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { formatBytes } from '#shared/format-bytes';
import { formatDuration } from '#shared/format-duration';
import { shortId } from './find-run.ts';
import { durationBetween, elapsed, relativeTime } from './relative-time.ts';
import type { Column } from './table.ts';
import { type Style, styleOfState, type Terminal } from './terminal.ts';

/** A state in a word, and what qualifies it. */
export function stateText({ state, connected, final }: Pick<Run, 'state' | 'connected' | 'final'>): string {
  if (isLive(state) && !connected) return `${state} (disconnected)`;
  return state === 'lost' && !final ? 'lost (may return)' : state;
}

export function styleOfRun({ state, connected }: Pick<Run, 'state' | 'connected'>): Style | null {
  return isLive(state) && !connected ? 'yellow' : styleOfState(state);
}

/** Ids are whole where there is room: in a pipe. */
function idText(id: string, terminal: Terminal): string {
  return terminal.columns === null ? id : shortId(id);
}

/** One that the wrapper has made up tells no more than the start: not shown where room is short. */
function instanceText({ job, instance }: Run, { columns }: Terminal): string {
  return columns !== null && instance.startsWith(`${job}_`) && /_\d+$/.test(instance) ? '' : instance;
}

function common(terminal: Terminal) {
  return {
    id: { header: 'RUN', text: ({ id }) => idText(id, terminal), style: () => 'dim' },
    state: { header: 'STATE', text: stateText, style: styleOfRun },
    job: { header: 'JOB', text: ({ job }) => job, style: () => 'bold', leastWidth: 12 },
    machine: { header: 'MACHINE', text: ({ machine }) => machine, leastWidth: 10 },
    instance: { header: 'INSTANCE', text: (run) => instanceText(run, terminal), leastWidth: 12, leaveOut: 2 },
    command: { header: 'COMMAND', text: ({ command_line }) => command_line, leastWidth: 12, leaveOut: 1 },
  } satisfies Readonly<Record<string, Column<Run>>>;
}

/** For runs that have not ended. */
export function liveColumns(nowMs: number, terminal: Terminal): readonly Column<Run>[] {
  const { id, state, job, machine, instance, command } = common(terminal);
  const age: Column<Run> = { header: 'AGE', text: (run) => ageText(run, nowMs), align: 'right' };
  return [id, state, job, machine, age, instance, command];
}

/** As wide as `59m 59s` and `succeeded`: what ticks and what ends doesn't move the columns after it. */
const STEADY_AGE = 7;
const STEADY_STATE = 9;

/** For runs that are shown while they change: also those that have just ended. */
export function watchedColumns(nowMs: number, terminal: Terminal): readonly Column<Run>[] {
  return liveColumns(nowMs, terminal).map((column) => {
    if (column.header === 'AGE') return { ...column, text: (run) => column.text(run).padStart(STEADY_AGE) };
    if (column.header === 'STATE') return { ...column, text: (run) => stateAndExitText(run).padEnd(STEADY_STATE) };
    return column;
  });
}

/** `failed (exit 3)`. */
export function stateAndExitText(run: Pick<Run, 'state' | 'connected' | 'final' | 'exit_code'>): string {
  return run.state === 'failed' && run.exit_code !== null ? `failed (exit ${run.exit_code})` : stateText(run);
}

const USAGE_COLUMNS: readonly Column<Run>[] = [
  { header: 'CPU', text: ({ usage }) => text(usage?.cpu_ms, formatDuration), align: 'right' },
  { header: 'MEMORY', text: ({ usage }) => text(usage?.peak_memory_bytes, formatBytes), align: 'right' },
];

function text(amount: number | null | undefined, format: (amount: number) => string): string {
  return amount === null || amount === undefined ? '' : format(amount);
}

/** For runs that have ended; also where some have not. */
export function endedColumns(nowMs: number, terminal: Terminal, isWide = false): readonly Column<Run>[] {
  const { id, state, job, machine, instance, command } = common(terminal);
  return [
    id,
    state,
    { header: 'EXIT', text: ({ exit_code }) => (exit_code === null ? '' : String(exit_code)), align: 'right' },
    job,
    machine,
    { header: 'STARTED', text: ({ started_at }) => relativeTime(started_at, nowMs) },
    { header: 'DURATION', text: (run) => ageText(run, nowMs), align: 'right' },
    ...(isWide ? USAGE_COLUMNS : []),
    instance,
    command,
  ];
}

/** How long it took, or has taken so far. */
export function ageText({ started_at, ended_at }: Pick<Run, 'started_at' | 'ended_at'>, nowMs: number): string {
  return ended_at === null ? elapsed(started_at, nowMs) : durationBetween(started_at, ended_at);
}

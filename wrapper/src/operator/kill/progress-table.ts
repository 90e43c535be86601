/** The progress of kills as a table: a row for each run, whose cells fill as the kill passes each step. Pure. */
import { formatDuration } from '#shared/format-duration';
import { displayWidth, truncate } from '../display-width.ts';
import { shortId } from '../find-run.ts';
import { type Style, styled, type Terminal } from '../terminal.ts';
import { type Outcome, outcomeOf, type StepTimes, type TargetProgress } from './progress.ts';
import { relatedText, survivorsText, waitingText } from './progress-text.ts';

/** A run that is to be killed, with the target of the kill once it has one. */
export interface ProgressRow {
  readonly job: string;
  readonly machine: string;
  readonly run: string;
  /** The first signal that it gets, if it is known. */
  readonly signal: string | null;
  readonly graceMs: number | null;
  readonly target: TargetProgress | null;
}

interface NameColumn {
  readonly kind: 'name';
  readonly title: string;
  readonly width: number;
  readonly text: (row: ProgressRow) => string;
}

interface TimeColumn {
  readonly kind: 'time';
  readonly title: string;
  readonly width: number;
  readonly step: keyof StepTimes;
}

type Column = NameColumn | TimeColumn;

export interface TableLayout {
  readonly columns: readonly Column[];
}

const GUTTER = '  ';
/** The longest text for a kill under way. */
const MIN_RESULT = 28;
const MIN_NAME = 6;
const LEAST_RESULT = 10;

/** What fits into so many columns of a terminal. It depends on names only, so that rows stay aligned. */
export function layoutTable(rows: readonly ProgressRow[], terminalColumns: number): TableLayout {
  const names = nameColumns(rows);
  const times = timeColumns(rows);
  const room = terminalColumns - MIN_RESULT;
  // When a kill was sent matters least: it says that the machine has not answered.
  const shown = widthOf([...names, ...times]) <= room ? times : times.filter(({ step }) => step !== 'sent');
  return { columns: [...narrowed(names, room - widthOf(shown)), ...shown] };
}

function widthOf(columns: readonly Column[]): number {
  return columns.reduce((sum, { width }) => sum + width + GUTTER.length, 0);
}

/** Takes from the widest column until all fit, or can't be narrower. */
function narrowed(columns: readonly NameColumn[], room: number): NameColumn[] {
  let fitting = [...columns];
  while (widthOf(fitting) > room) {
    const widest = Math.max(...fitting.map(({ width }) => width));
    if (widest <= MIN_NAME) break;
    const index = fitting.findIndex(({ width }) => width === widest);
    fitting = fitting.map((column, at) => (at === index ? { ...column, width: widest - 1 } : column));
  }
  return fitting;
}

function nameColumns(rows: readonly ProgressRow[]): NameColumn[] {
  const column = (title: string, text: NameColumn['text']): NameColumn => {
    const width = Math.max(title.length, ...rows.map((row) => displayWidth(text(row))));
    return { kind: 'name', title, text, width };
  };
  const hasJobs = new Set(rows.map(({ job }) => job)).size > 1;
  const places = new Set(rows.map(({ job, machine }) => `${job} ${machine}`));
  return [
    ...(hasJobs ? [column('JOB', ({ job }) => job)] : []),
    column('MACHINE', ({ machine }) => machine),
    ...(places.size < rows.length ? [column('RUN', ({ run }) => shortId(run))] : []),
  ];
}

function timeColumns(rows: readonly ProgressRow[]): TimeColumn[] {
  const column = (title: string, step: keyof StepTimes): TimeColumn => ({
    kind: 'time',
    title,
    step,
    width: Math.max(title.length, '1m 05s'.length),
  });
  const signals = new Set(rows.map(({ signal, target }) => target?.signal ?? signal));
  const [signal = null] = signals.size === 1 ? signals : [];
  return [
    column('SENT', 'sent'),
    column(signal ?? 'SIGNAL', 'signal'),
    ...(signal === 'SIGKILL' ? [] : [column('SIGKILL', 'sigkill')]),
    column('ENDED', 'end'),
  ];
}

export function headerLine({ columns }: TableLayout, terminal: Terminal): string {
  return styled(terminal, 'bold', [...columns.map(({ title, width }) => title.padEnd(width)), 'RESULT'].join(GUTTER));
}

export function rowLine(row: ProgressRow, { columns }: TableLayout, elapsedMs: number, terminal: Terminal): string {
  const outcome = row.target === null ? 'open' : outcomeOf(row.target);
  const cells = columns.map((column) => {
    const text = column.kind === 'name' ? column.text(row) : timeText(row.target, column.step);
    return padded(text, column.width);
  });
  const room = terminal.columns === null ? null : Math.max(LEAST_RESULT, terminal.columns - widthOf(columns));
  const result = resultText(row, elapsedMs);
  return [...cells, styled(terminal, STYLE_OF[outcome], room === null ? result : truncate(result, room))].join(GUTTER);
}

const STYLE_OF: Readonly<Record<Outcome, Style>> = {
  open: 'cyan',
  gone: 'green',
  survived: 'red',
  refused: 'dim',
  lost: 'yellow',
};

/** When contact was lost, or that a run had ended before, is no time of its end. */
function timeText(target: TargetProgress | null, step: keyof StepTimes): string {
  if (target === null || (step === 'end' && outcomeOf(target) !== 'gone')) return '';
  const ms = target.times[step];
  return ms === null ? '' : formatDuration(ms);
}

function resultText({ target, graceMs }: ProgressRow, elapsedMs: number): string {
  if (target === null) return 'requested';
  switch (outcomeOf(target)) {
    case 'open':
      return waitingText(target, elapsedMs, target.graceMs ?? graceMs);
    case 'gone':
      return `${target.exit_code === null ? 'all exited' : `exit code ${target.exit_code}`}${relatedText(target)}`;
    case 'survived':
      return survivorsText(target);
    case 'refused':
      return 'had already ended';
    case 'lost':
      return 'lost, may still run';
  }
}

function padded(text: string, width: number): string {
  const shown = truncate(text, width);
  return shown + ' '.repeat(Math.max(0, width - displayWidth(shown)));
}

/** The progress of kills as a table: a row for each run, whose cells fill as the kill passes each step. Pure. */
import { formatDuration } from '#shared/format-duration';
import { textWidth, truncateText } from '../terminal/text-width.ts';
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

export type Tone = 'plain' | 'heading' | 'faint' | 'active' | 'good' | 'bad' | 'warning';
export type Paint = (tone: Tone, text: string) => string;

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
/** A ULID's last characters, which differ. */
const SHORT_ID = 6;

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
    const width = Math.max(title.length, ...rows.map((row) => textWidth(text(row))));
    return { kind: 'name', title, text, width };
  };
  const hasJobs = new Set(rows.map(({ job }) => job)).size > 1;
  const places = new Set(rows.map(({ job, machine }) => `${job} ${machine}`));
  return [
    ...(hasJobs ? [column('JOB', ({ job }) => job)] : []),
    column('MACHINE', ({ machine }) => machine),
    ...(places.size < rows.length ? [column('RUN', ({ run }) => `…${run.slice(-SHORT_ID)}`)] : []),
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

export function headerLine({ columns }: TableLayout, paint: Paint): string {
  return paint('heading', [...columns.map(({ title, width }) => title.padEnd(width)), 'RESULT'].join(GUTTER));
}

export function rowLine(row: ProgressRow, { columns }: TableLayout, elapsedMs: number, paint: Paint): string {
  const outcome = row.target === null ? 'open' : outcomeOf(row.target);
  const cells = columns.map((column) => {
    const text = column.kind === 'name' ? column.text(row) : timeText(row.target, column.step);
    return padded(text, column.width);
  });
  return [...cells, paint(TONES[outcome], resultText(row, elapsedMs))].join(GUTTER).trimEnd();
}

const TONES: Readonly<Record<Outcome, Tone>> = {
  open: 'active',
  gone: 'good',
  survived: 'bad',
  refused: 'faint',
  lost: 'warning',
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
  const shown = truncateText(text, width);
  return shown + ' '.repeat(Math.max(0, width - textWidth(shown)));
}

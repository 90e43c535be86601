/** Shows kills on their way: on a terminal as a table that fills in place, elsewhere a line for each step. */
import { formatDuration } from '#shared/format-duration';
import type { Environment } from '../../config/config-file.ts';
import { printable } from '../../logging/log.ts';
import type { Output } from '../output.ts';
import { LiveRegion } from '../screen/live-region.ts';
import { canRedraw, stdoutScreen } from '../screen/stdout-screen.ts';
import type { Terminal } from '../terminal.ts';
import type { KillFollower } from './kill-follower.ts';
import { outcomeOf, type Step, type TargetProgress } from './progress.ts';
import { headerLine, layoutTable, type ProgressRow, rowLine, type TableLayout } from './progress-table.ts';
import { stepText } from './progress-text.ts';

/** For the countdown to SIGKILL. */
const TICK_MS = 250;
export interface KillView {
  steps(steps: readonly Step[]): void;
  /** @param why progress doesn't arrive at the moment; null: it does again */
  link(why: string | null): void;
  /** Prints what is left to be printed, and gives the terminal back. */
  close(): void;
}

export interface KillViewOptions {
  readonly output: Output;
  /** The runs that are to be killed. Others may follow. */
  readonly expected: readonly ProgressRow[];
  readonly follower: Pick<KillFollower, 'elapsedMs' | 'progress'>;
  readonly env: Environment;
}

export function openKillView(options: KillViewOptions): KillView {
  return canRedraw(options.env) ? new KillTable(options) : new KillLines(options);
}

/** A line for each step. */
class KillLines implements KillView {
  readonly #output: Output;
  readonly #hasJobs: boolean;
  readonly #width: number;

  constructor({ output, expected }: KillViewOptions) {
    this.#output = output;
    this.#hasJobs = new Set(expected.map(({ job }) => job)).size > 1;
    this.#width = Math.max(0, ...expected.map((row) => this.#name(row).length));
  }

  #name({ job, machine }: { readonly job: string; readonly machine: string }): string {
    return this.#hasJobs ? `${job} on ${machine}` : machine;
  }

  steps(steps: readonly Step[]): void {
    for (const step of steps) {
      const at = `${(step.atMs / 1_000).toFixed(3)}s`.padStart(9);
      this.#output.line(`${at}  ${this.#name(step.target).padEnd(this.#width)}  ${stepText(step)}`);
    }
  }

  link(why: string | null): void {
    this.#output.note(why === null ? 'Connected again.' : `The connection is lost; trying again: ${why}`);
  }

  close(): void {}
}

/** Rows that are over are printed once, above those that aren't. */
class KillTable implements KillView {
  readonly #terminal: Terminal;
  readonly #follower: KillViewOptions['follower'];
  readonly #screen = stdoutScreen();
  readonly #region: LiveRegion;
  readonly #rows: Map<string, ProgressRow>;
  readonly #printed = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #layout: TableLayout;
  #hasHeader = false;
  #trouble: string | null = null;

  constructor({ output, expected, follower }: KillViewOptions) {
    this.#terminal = output.terminal;
    this.#follower = follower;
    this.#rows = new Map(expected.map((row) => [`${row.job}/${row.run}`, row]));
    this.#layout = layoutTable(expected, this.#columns);
    this.#region = new LiveRegion(this.#screen);
    this.#timer = setInterval(() => this.#draw(), TICK_MS);
    this.#draw();
  }

  get #columns(): number {
    return this.#screen.columns;
  }

  steps(): void {
    this.#draw();
  }

  #take(target: TargetProgress): void {
    const key = `${target.job}/${target.run}`;
    const known = this.#rows.get(key);
    const row = { job: target.job, machine: target.machine, run: target.run, signal: null, graceMs: null };
    this.#rows.set(key, { ...row, ...known, target });
    if (known === undefined && !this.#hasHeader) this.#layout = layoutTable(this.#all, this.#columns);
  }

  link(why: string | null): void {
    this.#trouble = why;
    this.#draw();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#draw(true);
    this.#region.close();
  }

  get #all(): readonly ProgressRow[] {
    return [...this.#rows.values()];
  }

  #draw(isLast = false): void {
    for (const target of this.#follower.progress.targets) this.#take(target);
    const over: string[] = [];
    for (const [key, row] of this.#rows) {
      if (this.#printed.has(key) || !isOver(row)) continue;
      this.#printed.add(key);
      over.push(this.#line(row));
    }
    const open = this.#all.filter((row) => !isOver(row));
    const header = this.#hasHeader || this.#rows.size === 0 ? [] : [headerLine(this.#layout, this.#terminal)];
    this.#hasHeader ||= header.length > 0;
    this.#region.draw(isLast ? open.map((row) => this.#line(row)) : this.#live(open), [...header, ...over]);
  }

  #live(open: readonly ProgressRow[]): string[] {
    const room = Math.max(1, this.#region.height - 2);
    const shown = open.slice(0, room);
    const more = open.length > shown.length ? `, ${open.length - shown.length} of them not shown` : '';
    const done = this.#rows.size - open.length;
    const status = `${done} of ${this.#rows.size} done${more} · ${formatDuration(wholeSeconds(this.#follower.elapsedMs))} · Ctrl-C leaves the kill in place`;
    return [...shown.map((row) => this.#line(row)), this.#trouble === null ? status : printable(this.#trouble)];
  }

  #line(row: ProgressRow): string {
    const terminal = { ...this.#terminal, columns: this.#columns };
    return rowLine(row, this.#layout, this.#follower.elapsedMs, terminal);
  }
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1_000) * 1_000;
}

/** Whether a row can be printed for good. The exit code is known a moment later than that all processes have exited. */
function isOver({ target }: ProgressRow): boolean {
  if (target === null) return false;
  const outcome = outcomeOf(target);
  return outcome !== 'open' && (outcome !== 'gone' || target.exit_code !== null);
}

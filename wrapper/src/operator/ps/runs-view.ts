/** Shows runs as they change: a table that is redrawn in place, a line for each change, or JSON. */
import type { Run } from '#protocol/api';
import type { Output } from '../output.ts';
import { stateAndExitText } from '../run-table.ts';
import { LiveRegion, type Screen } from '../screen/live-region.ts';
import type { WatchStatus } from './runs-watcher.ts';
import { watchTableLines } from './watch-table.ts';
import type { RunChange } from './watched-runs.ts';

export interface RunsView {
  changed(change: RunChange): void;
  status(status: WatchStatus): void;
  /** Gives the terminal back. */
  close(): void;
}

/** Ages tick. */
const TICK_MS = 1_000;
/** A burst of changes is drawn once. */
const REDRAW_MS = 100;

export interface RunsTableOptions {
  readonly screen: Screen;
  readonly hasColour: boolean;
  readonly shown: () => readonly Run[];
  /** The control plane's time. */
  readonly now: () => number;
}

export class RunsTable implements RunsView {
  readonly #options: RunsTableOptions;
  readonly #region: LiveRegion;
  readonly #tick: NodeJS.Timeout;
  #redraw: NodeJS.Timeout | undefined;
  #status: WatchStatus = { kind: 'loading' };
  #drawn = '';

  constructor(options: RunsTableOptions) {
    this.#options = options;
    this.#region = new LiveRegion(options.screen);
    this.#tick = setInterval(() => this.#draw(), TICK_MS);
  }

  changed(): void {
    this.#soon();
  }

  status(status: WatchStatus): void {
    this.#status = status;
    this.#soon();
  }

  /** The window has another size. */
  resized(): void {
    this.#soon();
  }

  close(): void {
    clearInterval(this.#tick);
    clearTimeout(this.#redraw);
    this.#region.close();
  }

  #soon(): void {
    this.#redraw ??= setTimeout(() => {
      this.#redraw = undefined;
      this.#draw();
    }, REDRAW_MS);
  }

  #draw(): void {
    const { screen, hasColour, shown, now } = this.#options;
    const { columns, rows } = screen;
    const table = { runs: shown(), status: this.#status, nowMs: now() };
    // Before the first list: what is printed meanwhile would be drawn over.
    if (table.status.kind === 'loading' && table.runs.length === 0) return;
    const lines = watchTableLines(table, { columns, hasColour }, this.#region.height);
    const drawn = [columns, rows, ...lines].join('\n');
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.#region.draw(lines);
  }
}

/** `running (disconnected)`. */
const STATE_WIDTH = 22;

/** A line for each change of a run's state. */
export class RunLines implements RunsView {
  readonly #output: Output;
  readonly #now: () => number;
  readonly #link: LinkNotes;

  constructor(output: Output, now: () => number) {
    this.#output = output;
    this.#now = now;
    this.#link = new LinkNotes(output);
  }

  changed({ run: { value: run }, before }: RunChange): void {
    const state = stateAndExitText(run);
    if (before !== null && stateAndExitText(before) === state) return;
    const at = `${new Date(this.#now()).toISOString().slice(0, 19)}Z`;
    this.#output.line([at, run.id, state.padEnd(STATE_WIDTH), run.job, run.machine].join('  '));
  }

  status(status: WatchStatus): void {
    this.#link.status(status);
  }

  close(): void {}
}

/** A run object for each change. */
export class RunJsonLines implements RunsView {
  readonly #output: Output;
  readonly #link: LinkNotes;

  constructor(output: Output) {
    this.#output = output;
    this.#link = new LinkNotes(output);
  }

  changed({ run }: RunChange): void {
    this.#output.jsonLine(run.raw);
  }

  status(status: WatchStatus): void {
    this.#link.status(status);
  }

  close(): void {}
}

/** Says on stderr when changes stop arriving, and when they do again. */
class LinkNotes {
  readonly #output: Output;
  #kind: WatchStatus['kind'] = 'loading';

  constructor(output: Output) {
    this.#output = output;
  }

  status(status: WatchStatus): void {
    const before = this.#kind;
    this.#kind = status.kind;
    if (before === status.kind) return;
    if (status.kind === 'reconnecting') this.#output.note(`The connection is lost; trying again: ${status.why}`);
    else if (status.kind === 'polling') this.#output.note(`Changes are read every 5 s, because ${status.why}`);
    else if (before === 'reconnecting') this.#output.note('Connected again.');
  }
}

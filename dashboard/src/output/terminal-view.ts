/**
 * Draws a window on a run's output with xterm.js. Loaded when it is needed: it is larger than all the rest of the page.
 *
 * The terminal is as high as its box, and sticks to it while the box scrolls over a sheet as high as all of its rows: so
 * scrolling, its bars, touch and momentum are the browser's own. What was printed is never changed by what is looked at:
 * another window, filter or width is written anew from the window's pieces, in parts, and the row under the reader's eye
 * stays where it is.
 */
import '@xterm/xterm/css/xterm.css';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { Terminal } from '@xterm/xterm';
import { KIB } from '#protocol/limits';
import { defineAdoptedStyle } from './adopted-style.ts';
import { linesBetween, offsetOfLine } from './line-offsets.ts';
import { OutputText, type StreamChoice } from './output-text.ts';
import { endOf, OutputWindow } from './output-window.ts';
import { RowMarks } from './row-marks.ts';
import { type Anchor, RowPlaces, type Selected } from './row-places.ts';
import { guardOwnLines } from './terminal-guard.ts';
import { type FindRequest, type Matches, TerminalSearch } from './terminal-search.ts';
import { webAddress } from './terminal-text.ts';
import { monoFont, readTheme } from './theme.ts';
import { wholeText, wholeTextAround } from './whole-lines.ts';

/** How much is written between two frames of the page: more would be late for them. */
const WRITE_BYTES = 48 * KIB;
/** A row takes twelve bytes a cell, used or not. */
const MOST_CELLS = 4_000_000;
const MOST_ROWS = 24_000;
/** A line that is longer is wrapped all the same. */
const MOST_COLUMNS = 1_000;
const LEAST_COLUMNS = 20;
const COLUMN_STEP = 40;
/** Browsers place letters to a 64th of a pixel: a full row ends so far beyond its cells. As in output.css. */
const OVERHANG_PX = 4;
const FONT_PX = 13;
const NEWLINE = 0x0a;
const HIDE_CURSOR = '\x1b[?25l';

export interface TerminalViewPort {
  /** All of the output up to here is in the terminal. */
  drawn(offset: number): void;
  /** What is before has left it. */
  shownFrom(offset: number): void;
  /** How much it holds. */
  fits(rows: number, columns: number): void;
  followed(following: boolean): void;
  /** Where in the log the line begins that is at the top of the box. */
  seen(offset: number): void;
  /** The reader wants to go on beyond an end of what is shown. */
  reached(end: 'start' | 'end'): void;
  found(matches: Matches): void;
}

export interface ViewSettings {
  readonly wrap: boolean;
  readonly choice: StreamChoice;
}

/** What is to be found again when all of it has been written anew. */
interface Kept {
  /** The row at the top of the box; null for the start. */
  readonly top: Anchor | null;
  readonly selected: Selected | null;
}

export class TerminalView {
  readonly #box: HTMLElement;
  readonly #port: TerminalViewPort;
  readonly #sheet = element('div', 'output-sheet');
  readonly #stage = element('div', 'output-stage');
  readonly #screen = element('div', 'output-screen');
  readonly #terminal: Terminal;
  readonly #search: TerminalSearch;
  readonly #places: RowPlaces;
  readonly #marks: RowMarks;
  readonly #gutter = element('div', 'output-gutter');
  readonly #ended = new AbortController();
  readonly #resizes: ResizeObserver;
  #settings: ViewSettings;
  #window = new OutputWindow(0);
  #wanted = this.#window;
  #text: OutputText;
  /** All up to here has been written. */
  #offset = 0;
  /** Writing all of it anew, up to `until`; what was seen before stays to be seen until then. */
  #rewrite: { readonly until: number; readonly kept: Kept; readonly still: HTMLElement | null } | null = null;
  /** Lies over the terminal until that has drawn what took its place. */
  #still: HTMLElement | null = null;
  #isWriting = false;
  #isPlanned = false;
  #following = true;
  #isLive = true;
  /** The reader goes elsewhere, to that offset of the window that takes the place of this one. */
  #leaving: { readonly window: OutputWindow; readonly offset: number } | null = null;
  #toFind: FindRequest | null = null;
  #cell = { width: 8, height: 16 };
  #placedTop = 0;
  /** Of the box, when all was laid out in it. */
  #heightPx = 0;

  constructor(box: HTMLElement, settings: ViewSettings, port: TerminalViewPort) {
    this.#box = box;
    this.#port = port;
    this.#settings = settings;
    this.#text = new OutputText(settings.choice, false);
    this.#gutter.setAttribute('aria-hidden', 'true');
    this.#marks = new RowMarks(this.#gutter);
    this.#stage.append(this.#gutter, this.#screen);
    this.#sheet.append(this.#stage);
    box.append(this.#sheet);
    this.#terminal = this.#open();
    this.#search = new TerminalSearch(this.#terminal, (matches) => port.found(matches));
    this.#places = new RowPlaces(this.#terminal);
    this.#listen();
    this.#resizes = new ResizeObserver(() => this.#layOut());
    this.#resizes.observe(box);
    this.#layOut();
  }

  /**
   * Shows what the window holds by now; another window than the last takes its place.
   *
   * @param isLive whether its end is that of the log: no other end is followed
   */
  show(window: OutputWindow, isLive: boolean): void {
    this.#wanted = window;
    this.#isLive = isLive;
    if (!isLive) this.#follow(false);
    this.#plan();
  }

  set(settings: ViewSettings): void {
    const before = this.#settings;
    if (before.wrap === settings.wrap && before.choice === settings.choice) return;
    this.#settings = settings;
    this.#window = new OutputWindow(0);
    this.#plan();
  }

  toEnd(): void {
    this.#leaving = null;
    this.#follow(true);
    this.#terminal.scrollToBottom();
    this.#place();
  }

  /** The next window is shown from there on; until it has come, this one stays as it is. */
  leaveFor(offset: number): void {
    this.#follow(false);
    this.#leaving = { window: this.#wanted, offset };
  }

  /** Goes to a place of the window that is shown. */
  goTo(offset: number): void {
    const row = this.#rewrite === null ? this.#rowAt(offset) : null;
    if (row === null) return;
    this.#follow(this.#isLive && row >= this.#terminal.buffer.active.baseY);
    this.#terminal.scrollToLine(row);
    this.#place();
  }

  find(request: FindRequest): void {
    // What is only half written is searched when it is whole.
    if (this.#rewrite !== null) this.#toFind = request;
    else this.#find(request);
  }

  #find(request: FindRequest): void {
    // Who looks at a match is not to be taken to the end by the next line.
    if (request.text !== '' && this.#following) this.#pause();
    this.#search.find(request);
  }

  endFind(): void {
    this.#toFind = null;
    this.#search.end();
    this.#terminal.clearSelection();
  }

  focus(): void {
    this.#box.focus({ preventScroll: true });
  }

  get hasSelection(): boolean {
    return this.#terminal.hasSelection();
  }

  /** What is selected, or else all that is shown, with each line whole however it is wrapped. */
  copyText(): string {
    return this.#terminal.hasSelection() ? this.#terminal.getSelection() : wholeText(this.#terminal.buffer.active);
  }

  /** All that is shown as text, in two parts: what is before the line at the top of the box, and the rest. */
  shownText(): [before: string, after: string] {
    const buffer = this.#terminal.buffer.active;
    return wholeTextAround(buffer, buffer.viewportY);
  }

  dispose(): void {
    this.#ended.abort();
    this.#resizes.disconnect();
    this.#terminal.dispose();
    this.#sheet.remove();
  }

  #open(): Terminal {
    defineAdoptedStyle();
    const terminal = new Terminal({
      // Nothing that is typed goes anywhere, and no question of the output is answered: nobody listens to `onData`.
      disableStdin: true,
      convertEol: true,
      scrollOnEraseInDisplay: true,
      cursorInactiveStyle: 'none',
      drawBoldTextInBrightColors: false,
      minimumContrastRatio: 4.5,
      fontFamily: monoFont(),
      fontSize: FONT_PX,
      lineHeight: 1.3,
      theme: readTheme(),
      // Only for the search's marks.
      allowProposedApi: true,
      linkHandler: {
        activate: (_, address) => openLink(address),
        hover: (_, address) => this.#tell(address),
        leave: () => this.#tell(null),
      },
    });
    terminal.loadAddon(
      new WebLinksAddon((_, address) => openLink(address), {
        hover: (_, address) => this.#tell(address),
        leave: () => this.#tell(null),
      }),
    );
    terminal.open(this.#screen);
    guardOwnLines(terminal);
    // All keys are the box's. Tab leaves it.
    terminal.attachCustomKeyEventHandler(() => false);
    // A screen reader is told of the box; the rows are hidden from it, and the plain text is a link away.
    terminal.textarea?.setAttribute('aria-label', 'Output of the run');
    terminal.textarea?.setAttribute('tabindex', '-1');
    return terminal;
  }

  #listen(): void {
    const { signal } = this.#ended;
    const box = this.#box;
    box.addEventListener('scroll', () => this.#takeScroll(), { signal, passive: true });
    box.addEventListener('wheel', (event) => this.#onWheel(event), { signal, passive: true, capture: true });
    box.addEventListener('keydown', (event) => this.#onKey(event), { signal });
    box.addEventListener('copy', (event) => this.#onCopy(event), { signal, capture: true });
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', () => this.#recolour(), { signal });
    this.#terminal.onRender(() => this.#rendered());
    this.#terminal.onScroll(() => this.#onTerminalScroll());
  }

  #rendered(): void {
    if (this.#rewrite !== null) return;
    this.#marks.draw(this.#terminal, this.#cell.height);
    this.#still?.remove();
    this.#still = null;
  }

  #recolour(): void {
    this.#terminal.options.theme = readTheme();
  }

  #tell(address: string | null): void {
    // What a text says and where it leads may be two things.
    if (address === null) this.#screen.removeAttribute('title');
    else this.#screen.title = webAddress(address);
  }

  // Writing

  /** A page in the background gets no frames: it draws nothing, acks nothing, and is sent no more. */
  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    requestAnimationFrame(() => {
      this.#isPlanned = false;
      this.#write();
    });
  }

  #write(): void {
    if (this.#isWriting || this.#ended.signal.aborted) return;
    if (this.#wanted !== this.#window || this.#offset < this.#window.start) this.#beginRewrite();
    const { text, end } = this.#nextText();
    if (end === this.#offset) {
      if (this.#rewrite !== null) this.#endRewrite();
      return;
    }
    this.#isWriting = true;
    this.#widen();
    this.#terminal.write(text, () => {
      this.#isWriting = false;
      this.#offset = end;
      this.#written();
    });
  }

  #written(): void {
    if (this.#ended.signal.aborted) return;
    this.#places.skip(this.#window.start, this.#text.skipped);
    this.#notePlace();
    if (this.#rewrite !== null && this.#offset < this.#rewrite.until) {
      this.#write();
      return;
    }
    if (this.#rewrite !== null) this.#endRewrite();
    this.#place();
    this.#port.drawn(this.#offset);
    const shownFrom = this.#places.forget();
    if (shownFrom !== null) this.#port.shownFrom(shownFrom);
    this.#plan();
  }

  #nextText(): { readonly text: string; readonly end: number } {
    const wanted = this.#wantedPlaces().find((offset) => offset > this.#offset) ?? Number.POSITIVE_INFINITY;
    const limit = Math.min(wanted, this.#lineEndAfter(this.#offset + WRITE_BYTES));
    let text = '';
    let end = this.#offset;
    while (end < limit) {
      const piece = this.#window.read(end, limit);
      if (piece === null) break;
      text += this.#text.read(piece);
      end = endOf(piece);
    }
    return { text, end };
  }

  /** Where a line ends the offset can be a place. */
  #lineEndAfter(offset: number): number {
    const piece = this.#window.read(offset);
    if (piece?.kind !== 'bytes') return offset;
    return offset + piece.bytes.indexOf(NEWLINE) + 1;
  }

  #beginRewrite(): void {
    const kept = this.#rewrite?.kept ?? this.#keep();
    const still = this.#rewrite?.still ?? this.#takeStill();
    const columns = this.#columns();
    this.#window = this.#wanted;
    this.#offset = this.#window.start;
    this.#text = new OutputText(this.#settings.choice, this.#window.isCut);
    this.#rewrite = { until: this.#window.next, kept, still };
    this.#terminal.reset();
    this.#terminal.write(HIDE_CURSOR);
    this.#fit(columns);
    this.#places.clear();
    this.#notePlace();
  }

  #endRewrite(): void {
    const rewrite = this.#rewrite;
    if (rewrite === null) return;
    // Scrolled meanwhile, over the picture of what was there before.
    const moved = this.#box.scrollTop - this.#placedTop;
    this.#placedTop = this.#box.scrollTop;
    this.#rewrite = null;
    const { selected } = rewrite.kept;
    this.#terminal.scrollToLine(this.#topRow(rewrite.kept));
    if (selected !== null) this.#places.select(selected);
    this.#place();
    if (moved !== 0) this.#box.scrollBy(0, moved);
    if (this.#toFind !== null) this.#find(this.#toFind);
    this.#toFind = null;
    if (this.#hasArrived) this.#leaving = null;
    this.#still = rewrite.still;
    this.#terminal.refresh(0, this.#terminal.rows - 1);
  }

  get #hasArrived(): boolean {
    return this.#leaving !== null && this.#leaving.window !== this.#wanted;
  }

  /** The row for the top of the box, when all has been written anew. */
  #topRow({ top }: Kept): number {
    if (this.#following) return this.#terminal.buffer.active.baseY;
    const row =
      this.#leaving !== null && this.#hasArrived ? this.#rowAt(this.#leaving.offset) : this.#places.rowOf(top);
    return row ?? 0;
  }

  /** A picture of what is seen, to be seen while it is written anew. */
  #takeStill(): HTMLElement | null {
    if (this.#still !== null) return this.#still;
    const rows = this.#terminal.element;
    if (rows === undefined || this.#places.isEmpty) return null;
    const still = rows.cloneNode(true) as HTMLElement;
    still.classList.add('output-still');
    still.setAttribute('aria-hidden', 'true');
    for (const live of still.querySelectorAll('textarea, adopted-style')) live.remove();
    this.#screen.append(still);
    return still;
  }

  // Places

  /** The row of the line that holds the byte. */
  #rowAt(offset: number): number | null {
    const place = this.#places.before(offset);
    if (place === null) return null;
    const lines = linesBetween(this.#window, place, offset, this.#settings.choice);
    return this.#places.rowOf({ offset: place, lines, rows: 0 });
  }

  #notePlace(): void {
    this.#places.note(this.#offset, this.#wantedPlaces().includes(this.#offset));
  }

  #keep(): Kept {
    const top = this.#following ? null : this.#places.anchorOf(this.#terminal.buffer.active.viewportY);
    return { top, selected: this.#places.selected() };
  }

  /** Offsets that are to be places, in order: what was kept is found from there. */
  #wantedPlaces(): number[] {
    const kept = this.#rewrite?.kept;
    return [kept?.top, kept?.selected?.anchor].flatMap((anchor) => anchor?.offset ?? []).sort((a, b) => a - b);
  }

  // Size

  #layOut(): void {
    if (this.#box.clientHeight === 0) return;
    this.#heightPx = this.#box.clientHeight;
    const screen = this.#terminal.element?.querySelector('.xterm-screen')?.getBoundingClientRect();
    if (screen === undefined || screen.width === 0) return;
    this.#cell = { width: screen.width / this.#terminal.cols, height: screen.height / this.#terminal.rows };
    this.#fit(this.#columns());
    if (this.#following) this.#terminal.scrollToBottom();
    this.#placedTop = this.#box.scrollTop;
    this.#place();
  }

  #columns(): number {
    return this.#settings.wrap ? this.#columnsOfBox() : Math.max(this.#columnsOfBox(), this.#columnsOfText());
  }

  #columnsOfBox(): number {
    const room = this.#box.clientWidth - this.#gutter.offsetWidth - OVERHANG_PX;
    return Math.max(LEAST_COLUMNS, Math.floor(room / this.#cell.width));
  }

  #columnsOfText(): number {
    return Math.min(MOST_COLUMNS, Math.ceil(this.#text.widest / COLUMN_STEP) * COLUMN_STEP);
  }

  /** Lines that don't wrap need a terminal that is wide enough for them. */
  #widen(): void {
    if (!this.#settings.wrap && this.#columnsOfText() > this.#terminal.cols) this.#fit(this.#columnsOfText());
  }

  #fit(columns: number): void {
    const rows = Math.max(2, Math.floor(this.#box.clientHeight / this.#cell.height));
    const capacity = Math.min(MOST_ROWS, Math.floor(MOST_CELLS / columns));
    this.#terminal.options.scrollback = capacity - rows;
    this.#terminal.resize(columns, rows);
    this.#port.fits(capacity, columns);
  }

  // Scrolling

  /** Brings box and terminal into line. */
  #place(): void {
    if (this.#rewrite !== null) return;
    this.#takeScroll();
    this.#stayAtEnd();
    const { baseY, viewportY } = this.#terminal.buffer.active;
    this.#sheet.style.height = `${this.#box.clientHeight + baseY * this.#cell.height}px`;
    const top = viewportY * this.#cell.height;
    const isOff = Math.abs(this.#box.scrollTop - top) >= this.#cell.height;
    if (this.#following || isOff) this.#box.scrollTop = top;
    this.#placedTop = this.#box.scrollTop;
    this.#tellPlace();
  }

  #tellPlace(): void {
    const anchor = this.#following ? null : this.#places.anchorOf(this.#terminal.buffer.active.viewportY);
    if (anchor === null) return;
    this.#port.seen(offsetOfLine(this.#window, anchor.offset, anchor.lines, this.#settings.choice));
  }

  /** The reader has scrolled the box: so does the terminal. */
  #takeScroll(): void {
    const { scrollTop } = this.#box;
    if (this.#rewrite !== null || scrollTop === this.#placedTop) return;
    // In a box that has become higher the browser scrolls by itself: nobody has gone up.
    if (this.#box.clientHeight !== this.#heightPx) return;
    const isUp = scrollTop < this.#placedTop;
    this.#placedTop = scrollTop;
    const row = scrollTop / this.#cell.height;
    // Rounded the way the reader goes, so that the first pixel up ends the following, and the last one down begins it.
    const line = isUp ? Math.floor(row + 0.01) : Math.ceil(row - 0.01);
    const { baseY } = this.#terminal.buffer.active;
    this.#follow(this.#isLive && line >= baseY);
    this.#terminal.scrollToLine(line);
    this.#tellPlace();
    if (isUp && line <= 0) this.#askBeyond('start');
    if (!isUp && line >= baseY) this.#askBeyond('end');
  }

  /** The terminal has scrolled: for output, a match that was found, or a selection that goes on beyond the edge. */
  #onTerminalScroll(): void {
    if (this.#isWriting || this.#rewrite !== null) return;
    const { baseY, viewportY } = this.#terminal.buffer.active;
    if (!this.#following) this.#follow(this.#isLive && viewportY >= baseY);
    this.#place();
  }

  /** Whoever follows is at the end, unless a selection, or a match, which is one, took them elsewhere. */
  #stayAtEnd(): void {
    const { baseY, viewportY } = this.#terminal.buffer.active;
    if (!this.#following || viewportY >= baseY) return;
    if (this.#terminal.hasSelection()) this.#follow(false);
    else this.#terminal.scrollToBottom();
  }

  #follow(following: boolean): void {
    if (following === this.#following) return;
    this.#following = following;
    this.#port.followed(following);
  }

  #pause(): void {
    if (this.#terminal.buffer.active.baseY === 0) return;
    this.#follow(false);
    this.#terminal.scrollLines(-1);
  }

  #onWheel(event: WheelEvent): void {
    // The box scrolls by itself.
    event.stopPropagation();
    this.#reach(event.deltaY);
  }

  /** Whoever is at an end and goes on does not scroll, but wants what is beyond. */
  #reach(direction: number): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#box;
    if (direction < 0 && scrollTop <= 0) this.#askBeyond('start');
    if (direction > 0 && scrollTop >= scrollHeight - clientHeight - 1) this.#askBeyond('end');
  }

  /** Not while what was asked for is being written: its ends are elsewhere than those that are seen. */
  #askBeyond(end: 'start' | 'end'): void {
    if (this.#rewrite === null && this.#wanted === this.#window) this.#port.reached(end);
  }

  #onKey(event: KeyboardEvent): void {
    const isModified = event.ctrlKey || event.metaKey;
    if (isModified && event.key === 'a') {
      this.#terminal.selectAll();
      event.preventDefault();
    }
    if (isModified || event.altKey || event.shiftKey) return;
    const { width, height } = this.#cell;
    const page = (this.#terminal.rows - 1) * height;
    const steps: Readonly<Record<string, () => void>> = {
      ArrowUp: () => this.#box.scrollBy(0, -height),
      ArrowDown: () => this.#box.scrollBy(0, height),
      ArrowLeft: () => this.#box.scrollBy(-8 * width, 0),
      ArrowRight: () => this.#box.scrollBy(8 * width, 0),
      PageUp: () => this.#box.scrollBy(0, -page),
      PageDown: () => this.#box.scrollBy(0, page),
      Home: () => this.#box.scrollTo(0, 0),
      End: () => this.#box.scrollTo(0, this.#box.scrollHeight),
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.#reach(
      ['ArrowUp', 'PageUp', 'Home'].includes(event.key)
        ? -1
        : ['ArrowDown', 'PageDown', 'End'].includes(event.key)
          ? 1
          : 0,
    );
    step();
  }

  #onCopy(event: ClipboardEvent): void {
    if (!this.#terminal.hasSelection()) return;
    event.clipboardData?.setData('text/plain', this.#terminal.getSelection());
    event.preventDefault();
    event.stopPropagation();
  }
}

function element(name: 'div', className: string): HTMLDivElement {
  const made = document.createElement(name);
  made.className = className;
  return made;
}

/** A page that is opened from here learns nothing of this one. */
function openLink(address: string): void {
  const href = webAddress(address);
  if (href !== '') window.open(href, '_blank', 'noopener,noreferrer');
}

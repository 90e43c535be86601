/**
 * Draws a window of a run's output with xterm.js. Loaded on demand: it is larger than the rest of the dashboard.
 *
 * The terminal is as high as its box and sticks to it, while the box scrolls over a sheet as high as all rows:
 * scrolling, scroll bars, touch and momentum are the browser's own. Another window, filter or width rewrites the terminal from the
 * window's parts, step by step, and the row at the top of the box stays there.
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
import { type Anchor, RowOffsets, type Selected } from './row-offsets.ts';
import { guardOwnLines } from './terminal-guard.ts';
import { type FindRequest, type Matches, TerminalSearch } from './terminal-search.ts';
import { webAddress } from './terminal-text.ts';
import { monoFont, readTheme } from './theme.ts';
import { wholeText, wholeTextAround } from './whole-lines.ts';

/** How much is written per animation frame: more would delay the next frame. */
const WRITE_BYTES = 48 * KIB;
/** Each cell of a row takes twelve bytes, used or not. */
const MOST_CELLS = 4_000_000;
const MOST_ROWS = 24_000;
/** A longer line is wrapped in any case. */
const MOST_COLUMNS = 1_000;
const LEAST_COLUMNS = 20;
const COLUMN_STEP = 40;
/** Browsers round letter widths to 1/64 px, so a full row ends this far beyond its cells. The same as in output.css. */
const OVERHANG_PX = 4;
const FONT_PX = 13;
const NEWLINE = 0x0a;
const HIDE_CURSOR = '\x1b[?25l';

export interface TerminalViewPort {
  /** The terminal holds all output up to here. */
  drawn(offset: number): void;
  /** The output before this offset has left the terminal. */
  shownFrom(offset: number): void;
  /** How much the terminal holds. */
  fits(rows: number, columns: number): void;
  followed(following: boolean): void;
  /** The offset of the line at the top of the box. */
  seen(offset: number): void;
  /** The reader scrolled beyond an end of what is shown. */
  reached(end: 'start' | 'end'): void;
  found(matches: Matches): void;
}

export interface ViewSettings {
  readonly wrap: boolean;
  readonly choice: StreamChoice;
}

/** What is restored after a rewrite. */
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
  readonly #rowOffsets: RowOffsets;
  readonly #marks: RowMarks;
  readonly #gutter = element('div', 'output-gutter');
  readonly #ended = new AbortController();
  readonly #resizes: ResizeObserver;
  #settings: ViewSettings;
  #window = new OutputWindow(0);
  #wanted = this.#window;
  #text: OutputText;
  /** The terminal was written up to here. */
  #offset = 0;
  /** A rewrite up to `until`; until then a picture of the old rows covers the terminal. */
  #rewrite: { readonly until: number; readonly kept: Kept; readonly still: HTMLElement | null } | null = null;
  /** The picture of the old rows, until the terminal has drawn the new ones. */
  #still: HTMLElement | null = null;
  #isWriting = false;
  #isPlanned = false;
  #following = true;
  #isLive = true;
  /** The reader goes to this offset of the window that will replace this one. */
  #leaving: { readonly window: OutputWindow; readonly offset: number } | null = null;
  #toFind: FindRequest | null = null;
  #cell = { width: 8, height: 16 };
  #syncedTop = 0;
  /** The height of the box at the last layout. */
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
    this.#rowOffsets = new RowOffsets(this.#terminal);
    this.#listen();
    this.#resizes = new ResizeObserver(() => this.#layOut());
    this.#resizes.observe(box);
    this.#layOut();
  }

  /**
   * Shows what the window holds now; another window replaces the last.
   *
   * @param isLive whether its end is the end of the output: only then is it followed
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
    this.#syncScroll();
  }

  /** Shows the next window from this offset; until it arrives, this one stays as it is. */
  leaveFor(offset: number): void {
    this.#follow(false);
    this.#leaving = { window: this.#wanted, offset };
  }

  /** Goes to an offset of the window that is shown. */
  goTo(offset: number): void {
    const row = this.#rewrite === null ? this.#rowAt(offset) : null;
    if (row === null) return;
    this.#follow(this.#isLive && row >= this.#terminal.buffer.active.baseY);
    this.#terminal.scrollToLine(row);
    this.#syncScroll();
  }

  find(request: FindRequest): void {
    // A rewrite must be complete before it is searched.
    if (this.#rewrite !== null) this.#toFind = request;
    else this.#find(request);
  }

  #find(request: FindRequest): void {
    // The next line must not scroll a reader away from a match.
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

  /** The selection, or else all that is shown, with wrapped lines joined. */
  copyText(): string {
    return this.#terminal.hasSelection() ? this.#terminal.getSelection() : wholeText(this.#terminal.buffer.active);
  }

  /** All that is shown, as text: what is before the line at the top of the box, and the rest. */
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
      // Without a listener for `onData`, typed text and replies to the output's queries are dropped.
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
      // The search's decorations need it.
      allowProposedApi: true,
      linkHandler: {
        activate: (_, address) => openLink(address),
        hover: (_, address) => this.#showAddress(address),
        leave: () => this.#showAddress(null),
      },
    });
    terminal.loadAddon(
      new WebLinksAddon((_, address) => openLink(address), {
        hover: (_, address) => this.#showAddress(address),
        leave: () => this.#showAddress(null),
      }),
    );
    terminal.open(this.#screen);
    guardOwnLines(terminal);
    // The box handles all keys. Tab leaves it.
    terminal.attachCustomKeyEventHandler(() => false);
    // The box has a label for screen readers; the rows are hidden from them, and the plain text is a link away.
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

  #showAddress(address: string | null): void {
    // A link's text may differ from its address.
    if (address === null) this.#screen.removeAttribute('title');
    else this.#screen.title = webAddress(address);
  }

  // Writing

  /** A page in the background gets no animation frames: it draws nothing, acks nothing, and is sent no more. */
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
    this.#rowOffsets.skip(this.#window.start, this.#text.skipped);
    this.#noteOffset();
    if (this.#rewrite !== null && this.#offset < this.#rewrite.until) {
      this.#write();
      return;
    }
    if (this.#rewrite !== null) this.#endRewrite();
    this.#syncScroll();
    this.#port.drawn(this.#offset);
    const shownFrom = this.#rowOffsets.forget();
    if (shownFrom !== null) this.#port.shownFrom(shownFrom);
    this.#plan();
  }

  #nextText(): { readonly text: string; readonly end: number } {
    const wanted = this.#wantedOffsets().find((offset) => offset > this.#offset) ?? Number.POSITIVE_INFINITY;
    const limit = Math.min(wanted, this.#lineEndAfter(this.#offset + WRITE_BYTES));
    let text = '';
    let end = this.#offset;
    while (end < limit) {
      const part = this.#window.read(end, limit);
      if (part === null) break;
      text += this.#text.read(part);
      end = endOf(part);
    }
    return { text, end };
  }

  /** Only at the end of a line can the offset be that of a row. */
  #lineEndAfter(offset: number): number {
    const part = this.#window.read(offset);
    if (part?.kind !== 'bytes') return offset;
    return offset + part.bytes.indexOf(NEWLINE) + 1;
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
    this.#rowOffsets.clear();
    this.#noteOffset();
  }

  #endRewrite(): void {
    const rewrite = this.#rewrite;
    if (rewrite === null) return;
    // The reader may have scrolled during the rewrite.
    const moved = this.#box.scrollTop - this.#syncedTop;
    this.#syncedTop = this.#box.scrollTop;
    this.#rewrite = null;
    const { selected } = rewrite.kept;
    this.#terminal.scrollToLine(this.#topRow(rewrite.kept));
    if (selected !== null) this.#rowOffsets.select(selected);
    this.#syncScroll();
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

  /** The row for the top of the box after a rewrite. */
  #topRow({ top }: Kept): number {
    if (this.#following) return this.#terminal.buffer.active.baseY;
    const row =
      this.#leaving !== null && this.#hasArrived ? this.#rowAt(this.#leaving.offset) : this.#rowOffsets.rowOf(top);
    return row ?? 0;
  }

  /** A copy of the rows that covers the terminal during a rewrite. */
  #takeStill(): HTMLElement | null {
    if (this.#still !== null) return this.#still;
    const rows = this.#terminal.element;
    if (rows === undefined || this.#rowOffsets.isEmpty) return null;
    const still = rows.cloneNode(true) as HTMLElement;
    still.classList.add('output-still');
    still.setAttribute('aria-hidden', 'true');
    for (const live of still.querySelectorAll('textarea, adopted-style')) live.remove();
    this.#screen.append(still);
    return still;
  }

  // Offsets

  /** The row of the line that holds the byte. */
  #rowAt(offset: number): number | null {
    const known = this.#rowOffsets.before(offset);
    if (known === null) return null;
    const lines = linesBetween(this.#window, known, offset, this.#settings.choice);
    return this.#rowOffsets.rowOf({ offset: known, lines, rows: 0 });
  }

  #noteOffset(): void {
    this.#rowOffsets.note(this.#offset, this.#wantedOffsets().includes(this.#offset));
  }

  #keep(): Kept {
    const top = this.#following ? null : this.#rowOffsets.anchorOf(this.#terminal.buffer.active.viewportY);
    return { top, selected: this.#rowOffsets.selected() };
  }

  /** Offsets whose rows must be known, in order, to restore what was kept. */
  #wantedOffsets(): number[] {
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
    this.#syncedTop = this.#box.scrollTop;
    this.#syncScroll();
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

  /** Lines that don't wrap need a terminal as wide as they are. */
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

  /** Brings the box's scroll position and the terminal's into agreement. */
  #syncScroll(): void {
    if (this.#rewrite !== null) return;
    this.#takeScroll();
    this.#stayAtEnd();
    const { baseY, viewportY } = this.#terminal.buffer.active;
    this.#sheet.style.height = `${this.#box.clientHeight + baseY * this.#cell.height}px`;
    const top = viewportY * this.#cell.height;
    const isOff = Math.abs(this.#box.scrollTop - top) >= this.#cell.height;
    if (this.#following || isOff) this.#box.scrollTop = top;
    this.#syncedTop = this.#box.scrollTop;
    this.#reportSeen();
  }

  #reportSeen(): void {
    const anchor = this.#following ? null : this.#rowOffsets.anchorOf(this.#terminal.buffer.active.viewportY);
    if (anchor === null) return;
    this.#port.seen(offsetOfLine(this.#window, anchor.offset, anchor.lines, this.#settings.choice));
  }

  /** Scrolls the terminal as the reader has scrolled the box. */
  #takeScroll(): void {
    const { scrollTop } = this.#box;
    if (this.#rewrite !== null || scrollTop === this.#syncedTop) return;
    // A box that has become higher is scrolled by the browser, not by the reader.
    if (this.#box.clientHeight !== this.#heightPx) return;
    const isUp = scrollTop < this.#syncedTop;
    this.#syncedTop = scrollTop;
    const row = scrollTop / this.#cell.height;
    // Rounded in the direction of scrolling: the first pixel up stops following, and the last one down starts it.
    const line = isUp ? Math.floor(row + 0.01) : Math.ceil(row - 0.01);
    const { baseY } = this.#terminal.buffer.active;
    this.#follow(this.#isLive && line >= baseY);
    this.#terminal.scrollToLine(line);
    this.#reportSeen();
    if (isUp && line <= 0) this.#askBeyond('start');
    if (!isUp && line >= baseY) this.#askBeyond('end');
  }

  /** The terminal has scrolled: for output, a match, or a selection that extends beyond the edge. */
  #onTerminalScroll(): void {
    if (this.#isWriting || this.#rewrite !== null) return;
    const { baseY, viewportY } = this.#terminal.buffer.active;
    if (!this.#following) this.#follow(this.#isLive && viewportY >= baseY);
    this.#syncScroll();
  }

  /** Keeps a following reader at the end, unless a selection (a match is one too) scrolled elsewhere. */
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
    // The browser scrolls the box.
    event.stopPropagation();
    this.#reach(event.deltaY);
  }

  /** Scrolling at an end asks for the output beyond it. */
  #reach(direction: number): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#box;
    if (direction < 0 && scrollTop <= 0) this.#askBeyond('start');
    if (direction > 0 && scrollTop >= scrollHeight - clientHeight - 1) this.#askBeyond('end');
  }

  /** Not during a rewrite: the new window's ends are not those that are shown. */
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

/** `noopener,noreferrer` hides this page from the one that it opens. */
function openLink(address: string): void {
  const href = webAddress(address);
  if (href !== '') window.open(href, '_blank', 'noopener,noreferrer');
}

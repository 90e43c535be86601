/**
 * The elements of a lane's bars, written by hand: there are thousands, and to let Preact compare them all takes longer
 * than to write the new ones. Each is a link or a button, but Tab stops at one per lane; arrows lead to the others.
 */
import { render } from 'preact';
import { isLive, type RunState } from '#protocol/run-state';
import { StateShape } from '../../components/run-state.tsx';
import { runPath } from '../../router.tsx';
import { barLabel, isBad, worstOf } from './bar-labels.ts';
import type { LaneKind } from './lanes.ts';
import { type Bar, endOf, keyOf, LEAST_BAR_PX } from './layout.ts';

/** Bars wider than this have room for a shape, and for a name. */
const SHAPE_PX = 22;
const NAME_PX = 80;
const DIGIT_PX = 7;
/** Browsers draw nothing further away than some 33 million pixels. */
const FAR_PX = 10_000_000;

export interface Drawing {
  readonly bars: readonly Bar[];
  readonly kind: LaneKind;
  /** Where the pixels are counted from. */
  readonly originMs: number;
  readonly msPerPx: number;
  readonly nowMs: number;
  /** The left edge of the view: there the text of a bar begins that reaches in from before. */
  readonly viewFrom: number;
  /** The bar at which Tab stops. */
  readonly tabStop: string | null;
}

interface Box {
  readonly leftPx: number;
  readonly widthPx: number;
  /** How much of it lies before the view. */
  readonly hiddenPx: number;
}

interface Drawn {
  readonly element: HTMLElement;
  bar: Bar;
  /** All else that its looks depend on. */
  look: string;
}

export class LaneBars {
  readonly #parent: HTMLElement;
  readonly #drawn = new Map<string, Drawn>();
  #scale = '';

  constructor(parent: HTMLElement) {
    this.#parent = parent;
  }

  /**
   * @param endMs draws no bars that are missing after this time, by the clock of `performance`
   * @returns whether none are missing
   */
  draw(drawing: Drawing, endMs: number): boolean {
    const bars = new Map(drawing.bars.map((bar) => [keyOf(bar), bar]));
    this.#removeExcept(bars, `${drawing.originMs} ${drawing.msPerPx} ${drawing.kind}`);
    // In the order of time: a screen reader reads them in the order of their elements.
    let next = this.#parent.firstElementChild;
    let isComplete = true;
    for (const [key, bar] of bars) {
      const known = this.#drawn.get(key);
      if (known === undefined && performance.now() > endMs) {
        isComplete = false;
        continue;
      }
      const drawn = known ?? { element: elementFor(key, bar), bar, look: '' };
      update(drawn, bar, drawing, key === drawing.tabStop);
      if (known === undefined) {
        this.#drawn.set(key, drawn);
        this.#parent.insertBefore(drawn.element, next);
      }
      next = drawn.element.nextElementSibling;
    }
    return isComplete;
  }

  #removeExcept(bars: ReadonlyMap<string, Bar>, scale: string): void {
    if (scale !== this.#scale) {
      this.#parent.replaceChildren();
      this.#drawn.clear();
    }
    this.#scale = scale;
    for (const [key, { element }] of this.#drawn) {
      if (bars.has(key)) continue;
      element.remove();
      this.#drawn.delete(key);
    }
  }
}

function update(drawn: Drawn, bar: Bar, drawing: Drawing, isTabStop: boolean): void {
  const box = boxOf(bar, drawing);
  const look = `${box.leftPx} ${box.widthPx} ${box.hiddenPx} ${bar.row}`;
  if (drawn.look !== look || !isOfSameRuns(drawn.bar, bar)) write(drawn.element, bar, box, drawing);
  if (isTabStop !== (drawn.element.tabIndex === 0)) drawn.element.tabIndex = isTabStop ? 0 : -1;
  drawn.look = look;
  drawn.bar = bar;
}

function boxOf(bar: Bar, { originMs, msPerPx, nowMs, viewFrom }: Drawing): Box {
  const pxOf = (ms: number) => Math.round((ms - originMs) / msPerPx);
  const startPx = Math.max(-FAR_PX, pxOf(bar.from));
  const endPx = Math.min(FAR_PX, pxOf(endOf(bar, nowMs)));
  const widthPx = Math.max(LEAST_BAR_PX, endPx - startPx);
  // Drawn wider than it is, a run of a moment ago would reach into the future.
  const leftPx = Math.min(startPx, pxOf(nowMs) - widthPx);
  const viewPx = pxOf(viewFrom);
  return { leftPx, widthPx, hiddenPx: leftPx < viewPx && endPx > viewPx ? viewPx - leftPx : 0 };
}

/** Bars are made again whenever a run of their lane has changed. */
function isOfSameRuns(a: Bar, b: Bar): boolean {
  return (
    a === b ||
    (a.isCrowd === b.isCrowd && a.runs.length === b.runs.length && a.runs.every((run, index) => run === b.runs[index]))
  );
}

function elementFor(key: string, { runs }: Bar): HTMLElement {
  const element = document.createElement(runs.length === 1 ? 'a' : 'button');
  element.dataset.bar = key;
  element.tabIndex = -1;
  element.className = runs.length === 1 ? 'bar' : 'bar group';
  if (element instanceof HTMLButtonElement) element.type = 'button';
  else element.draggable = false;
  return element;
}

function write(element: HTMLElement, bar: Bar, box: Box, drawing: Drawing): void {
  element.setAttribute('aria-label', barLabel(bar));
  element.style.left = `${box.leftPx}px`;
  element.style.width = `${box.widthPx}px`;
  element.style.top = `calc(${bar.row} * var(--row))`;
  element.dataset.open = String(bar.to === null);
  element.dataset.state = worstOf(bar.runs);
  element.replaceChildren();
  if (bar.runs.length === 1) writeRun(element, bar, box, drawing);
  else writeGroup(element, bar, box);
}

function writeGroup(element: HTMLElement, { runs, isCrowd }: Bar, { widthPx, hiddenPx }: Box): void {
  element.dataset.bad = String(runs.some(isBad));
  const text = isCrowd ? `+${runs.length}` : String(runs.length);
  if (widthPx - hiddenPx > text.length * DIGIT_PX + 2) element.append(textWithin('group-count', hiddenPx, text));
}

function writeRun(element: HTMLElement, bar: Bar, { widthPx, hiddenPx }: Box, { kind, msPerPx }: Drawing): void {
  const [run] = bar.runs;
  const isUncertain = run.state === 'lost' || (isLive(run.state) && !run.connected);
  element.setAttribute('href', runPath(run));
  element.dataset.run = run.id;
  element.dataset.uncertain = String(isUncertain);
  element.dataset.narrow = String(widthPx < SHAPE_PX);
  if (isUncertain && run.disconnected_since !== null) {
    const knownPx = Math.round((Date.parse(run.disconnected_since) - bar.from) / msPerPx);
    const certain = document.createElement('span');
    certain.className = 'certain';
    certain.style.width = `${Math.max(0, knownPx)}px`;
    element.append(certain);
  }
  const roomPx = widthPx - hiddenPx;
  if (roomPx < SHAPE_PX) return;
  const text = textWithin('bar-text', hiddenPx, shapeOf(run.state));
  element.append(text);
  if (roomPx < NAME_PX) return;
  const name = document.createElement('span');
  name.className = 'bar-name';
  name.textContent = kind === 'job' ? run.machine : run.job;
  text.append(name);
}

function textWithin(className: string, hiddenPx: number, content: Node | string): HTMLElement {
  const element = document.createElement('span');
  element.className = className;
  if (hiddenPx > 0) element.style.marginLeft = `${hiddenPx}px`;
  element.append(content);
  return element;
}

const shapes = new Map<RunState, DocumentFragment>();

function shapeOf(state: RunState): Node {
  let shape = shapes.get(state);
  if (shape === undefined) {
    shape = document.createDocumentFragment();
    render(<StateShape state={state} px={12} />, shape);
    shapes.set(state, shape);
  }
  return shape.cloneNode(true);
}

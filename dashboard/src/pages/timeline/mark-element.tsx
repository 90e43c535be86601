/**
 * A mark as an element, written by hand: there are thousands of them, and to compare them all, as for what is drawn
 * elsewhere, takes longer than to write those that are new. Every one is a link or a button, but only one of a lane is
 * reached by Tab: the others by arrows.
 */
import { render } from 'preact';
import type { RunState } from '#protocol/run-state';
import { StateShape } from '../../components/run-state.tsx';
import { runPath } from '../../router.tsx';
import type { LaneKind } from './lane-index.ts';
import { endOf, isUncertain, keyOf, LEAST_BAR_PX, type Mark, worstOf } from './lane-layout.ts';
import { isBad, markText } from './mark-words.ts';
import type { Period } from './view.ts';

/** Bars wider than this have room for a shape, and for a name. */
const SHAPE_PX = 22;
const NAME_PX = 80;
const DIGIT_PX = 7;

export interface Drawing {
  readonly kind: LaneKind;
  /** What there is room for: places are counted from its beginning. */
  readonly field: Period;
  readonly msPerPx: number;
  readonly nowMs: number;
  /** Where what is seen begins: so do the words of a bar that reaches in from before. */
  readonly seenFrom: number;
}

/** A bare element for a mark; what it shows is written afterwards. */
export function elementFor(mark: Mark): HTMLElement {
  const element = document.createElement(mark.kind === 'run' ? 'a' : 'button');
  element.dataset.mark = keyOf(mark);
  element.tabIndex = -1;
  element.className = mark.kind === 'run' ? 'bar' : 'bar group';
  if (element instanceof HTMLButtonElement) element.type = 'button';
  else element.draggable = false;
  return element;
}

export function writeMark(element: HTMLElement, mark: Mark, drawing: Drawing): void {
  const { leftPx, widthPx } = boxOf(mark, drawing);
  element.setAttribute('aria-label', markText(mark));
  element.style.left = `${leftPx}px`;
  element.style.width = `${widthPx}px`;
  element.style.top = `calc(${mark.row} * var(--row))`;
  element.dataset.open = String(mark.to === null);
  const hiddenPx = hiddenPxOf(mark, drawing);
  const roomPx = widthPx - hiddenPx;
  if (mark.kind === 'group') {
    element.dataset.state = worstOf(mark.runs);
    element.dataset.bad = String(mark.runs.some(isBad));
    const text = mark.cause === 'crowd' ? `+${mark.runs.length}` : String(mark.runs.length);
    if (roomPx > text.length * DIGIT_PX + 2) element.replaceChildren(words('group-count', hiddenPx, text));
    else element.replaceChildren();
    return;
  }
  const { run } = mark;
  element.setAttribute('href', runPath(run));
  element.dataset.run = run.id;
  element.dataset.state = run.state;
  element.dataset.uncertain = String(isUncertain(run));
  element.dataset.narrow = String(widthPx < SHAPE_PX);
  element.replaceChildren();
  if (isUncertain(run) && run.out_of_touch_since !== null) {
    const known = document.createElement('span');
    known.className = 'known';
    known.style.width = `${Math.max(0, Math.round((Date.parse(run.out_of_touch_since) - mark.from) / drawing.msPerPx))}px`;
    element.append(known);
  }
  if (roomPx < SHAPE_PX) return;
  const told = words('bar-words', hiddenPx, shapeOf(run.state));
  element.append(told);
  if (roomPx < NAME_PX) return;
  const name = document.createElement('span');
  name.className = 'bar-name';
  name.textContent = drawing.kind === 'job' ? run.machine : run.job;
  told.append(name);
}

/** How much of a bar that reaches into what is seen lies before it. */
export function hiddenPxOf(mark: Mark, { field, seenFrom, msPerPx, nowMs }: Drawing): number {
  const from = Math.max(mark.from, field.from);
  return from < seenFrom && endOf(mark, nowMs) > seenFrom ? Math.round((seenFrom - from) / msPerPx) : 0;
}

function boxOf(mark: Mark, { field, msPerPx, nowMs }: Drawing) {
  const from = Math.max(mark.from, field.from);
  const to = Math.min(endOf(mark, nowMs), field.to);
  const widthPx = Math.max(LEAST_BAR_PX, Math.round((to - from) / msPerPx));
  // Drawn wider than it is, a mark of a moment ago would reach into the future.
  const latestPx = Math.round((nowMs - field.from) / msPerPx) - widthPx;
  return { leftPx: Math.min(Math.round((from - field.from) / msPerPx), latestPx), widthPx };
}

function words(name: string, hiddenPx: number, ...content: (Node | string)[]): HTMLElement {
  const element = document.createElement('span');
  element.className = name;
  if (hiddenPx > 0) element.style.marginLeft = `${hiddenPx}px`;
  element.append(...content);
  return element;
}

const shapes = new Map<RunState, Node>();

function shapeOf(state: RunState): Node {
  let shape = shapes.get(state);
  if (shape === undefined) {
    shape = document.createDocumentFragment();
    render(<StateShape state={state} px={12} />, shape as DocumentFragment);
    shapes.set(state, shape);
  }
  return shape.cloneNode(true);
}

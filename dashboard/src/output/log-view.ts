/**
 * Draws a log's lines into an element.
 *
 * By hand and not by components: output may come by the thousand lines a second, and only what has changed is touched.
 */
import { bytesText } from '../parts/quantity.ts';
import type { GapLine, Line, Segment, TextLine } from './line.ts';
import type { OutputLog } from './output-log.ts';

export class LogView {
  readonly #element: HTMLElement;
  #log: OutputLog | null = null;
  #first = 0;
  #nodes: HTMLElement[] = [];

  constructor(element: HTMLElement) {
    this.#element = element;
  }

  /** Says whether lines came and went at the ends, or all of it is another window on the output now. */
  draw(log: OutputLog): 'extended' | 'redrawn' {
    const redrawn = log !== this.#log;
    if (redrawn) this.#clear(log);
    const changed = log.takeChanges();
    const first = log.lines[0]?.number ?? 0;
    this.#dropBefore(first);
    this.#dropFrom(changed);
    const fragment = document.createDocumentFragment();
    for (let i = this.#nodes.length; i < log.lines.length; i += 1) {
      const line = log.lines[i];
      if (line === undefined) break;
      const node = lineNode(line);
      this.#nodes.push(node);
      fragment.append(node);
    }
    this.#element.append(fragment);
    return redrawn ? 'redrawn' : 'extended';
  }

  /** A log that was drawn elsewhere has told its changes there: all of it is drawn anew. */
  #clear(log: OutputLog): void {
    this.#log = log;
    this.#first = log.lines[0]?.number ?? 0;
    this.#nodes = [];
    this.#element.replaceChildren();
  }

  #dropBefore(number: number): void {
    const gone = this.#nodes.splice(0, Math.max(0, number - this.#first));
    for (const node of gone) node.remove();
    this.#first = number;
  }

  #dropFrom(number: number): void {
    const gone = this.#nodes.splice(Math.max(0, number - this.#first));
    for (const node of gone) node.remove();
  }
}

function lineNode(line: Line): HTMLElement {
  return line.kind === 'gap' ? gapNode(line) : textNode(line);
}

function gapNode(line: GapLine): HTMLElement {
  const node = document.createElement('div');
  node.className = 'line gap';
  node.textContent = `… ${bytesText(line.missing)} are missing here …`;
  return node;
}

function textNode(line: TextLine): HTMLElement {
  const node = document.createElement('div');
  node.className = line.segments[0]?.stream === 'stderr' ? 'line stderr' : 'line';
  for (const segment of line.segments) node.append(segmentNode(segment));
  return node;
}

function segmentNode(segment: Segment): Node {
  if (segment.style === '' && segment.stream === 'stdout') return document.createTextNode(segment.text);
  const span = document.createElement('span');
  span.className = segment.stream === 'stderr' ? `${segment.style} err`.trim() : segment.style;
  span.textContent = segment.text;
  return span;
}

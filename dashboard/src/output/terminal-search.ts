/** Finds text in a terminal and highlights it. */
import { SearchAddon } from '@xterm/addon-search';
import type { Terminal } from '@xterm/xterm';

export interface Matches {
  /** Which match is selected, from 1; 0 for none. */
  readonly current: number;
  readonly count: number;
  /** Whether there may be more matches than were counted. */
  readonly isMore: boolean;
}

export interface FindRequest {
  readonly text: string;
  readonly caseSensitive: boolean;
  readonly direction: 'next' | 'previous';
  /** The text is still being typed: a selected match that still matches stays selected. */
  readonly isTyping: boolean;
}

const MOST_MATCHES = 1_000;
const MATCH_COLOURS = {
  matchBackground: '#ffd966',
  matchOverviewRuler: '#ffd966',
  activeMatchBackground: '#ff9632',
  activeMatchColorOverviewRuler: '#ff9632',
};

export class TerminalSearch {
  readonly #addon = new SearchAddon({ highlightLimit: MOST_MATCHES });
  #isCaseSensitive = false;

  constructor(terminal: Terminal, found: (matches: Matches) => void) {
    terminal.loadAddon(this.#addon);
    this.#addon.onDidChangeResults(({ resultIndex, resultCount }) => {
      found({ current: resultIndex + 1, count: resultCount, isMore: resultCount >= MOST_MATCHES });
    });
  }

  find({ text, caseSensitive, direction, isTyping }: FindRequest): void {
    // The add-on doesn't notice a change of case sensitivity.
    if (caseSensitive !== this.#isCaseSensitive) this.#addon.clearDecorations();
    this.#isCaseSensitive = caseSensitive;
    const options = { caseSensitive, incremental: isTyping, decorations: MATCH_COLOURS };
    if (direction === 'next') this.#addon.findNext(text, options);
    else this.#addon.findPrevious(text, options);
  }

  end(): void {
    this.#addon.clearDecorations();
  }
}

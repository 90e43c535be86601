/** What our stdout is, and how text on it may be styled. */
import { isBadEnd, type RunState } from '#protocol/run-state';
import type { Environment } from '../config/config-file.ts';

const STYLES = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33', blue: '34', cyan: '36' } as const;
export type Style = keyof typeof STYLES;

export interface Terminal {
  /** How many columns there are; null: it is no terminal, so nothing is truncated. */
  readonly columns: number | null;
  readonly hasColour: boolean;
}

/** Where nobody says otherwise, and what is too narrow to be believed. */
const DEFAULT_COLUMNS = 80;
const LEAST_COLUMNS = 20;

/** @param stream stdout, or what stands for it */
export function openTerminal(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  env: Environment,
): Terminal {
  if (stream.isTTY !== true) return { columns: null, hasColour: false };
  // https://no-color.org: set to anything but nothing.
  const isPlain = (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb';
  const columns = stream.columns ?? 0;
  return { columns: columns >= LEAST_COLUMNS ? columns : DEFAULT_COLUMNS, hasColour: !isPlain };
}

/** @param text printable */
export function styled({ hasColour }: Terminal, style: Style | null | undefined, text: string): string {
  if (!hasColour || style === null || style === undefined || text === '') return text;
  return `\x1b[${STYLES[style]}m${text}\x1b[0m`;
}

/** Green: it runs; red: it needs attention; yellow: somebody ended it, or is about to, or it does not start. */
export function styleOfState(state: RunState): Style | null {
  if (state === 'running') return 'green';
  if (state === 'killing' || state === 'killed' || state === 'waiting' || state === 'skipped') return 'yellow';
  return isBadEnd(state) ? 'red' : null;
}

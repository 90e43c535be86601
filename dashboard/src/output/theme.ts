/** The terminal's colours, from the dashboard's design tokens. */
import type { ITheme } from '@xterm/xterm';

const ANSI_NAMES = [
  'black',
  'red',
  'green',
  'yellow',
  'blue',
  'magenta',
  'cyan',
  'white',
  'brightBlack',
  'brightRed',
  'brightGreen',
  'brightYellow',
  'brightBlue',
  'brightMagenta',
  'brightCyan',
  'brightWhite',
] as const;

/** In hexadecimal: xterm.js blends the selection's colour itself. */
const SELECTION_ALPHA = '59';

export function readTheme(): ITheme {
  const tokens = getComputedStyle(document.documentElement);
  const token = (name: string) => tokens.getPropertyValue(name).trim();
  return {
    ...Object.fromEntries(ANSI_NAMES.map((name, index) => [name, token(`--ansi-${index}`)])),
    background: token('--sunken'),
    foreground: token('--ink'),
    selectionBackground: token('--focus') + SELECTION_ALPHA,
  };
}

export function monoFont(): string {
  return getComputedStyle(document.documentElement).getPropertyValue('--mono').trim();
}

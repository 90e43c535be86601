/** Colours and weights as a terminal's `ESC [ … m` sets them, kept to what the page can show: sixteen colours. */

export interface Style {
  readonly foreground: number | null;
  readonly background: number | null;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly strike: boolean;
  readonly inverse: boolean;
}

export const PLAIN: Style = {
  foreground: null,
  background: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  strike: false,
  inverse: false,
};

const SWITCHES: ReadonlyMap<number, Partial<Style>> = new Map([
  [1, { bold: true }],
  [2, { dim: true }],
  [3, { italic: true }],
  [4, { underline: true }],
  [7, { inverse: true }],
  [9, { strike: true }],
  [21, { underline: true }],
  [22, { bold: false, dim: false }],
  [23, { italic: false }],
  [24, { underline: false }],
  [27, { inverse: false }],
  [29, { strike: false }],
  [39, { foreground: null }],
  [49, { background: null }],
]);

/** @param parameters what stands between `ESC [` and `m` */
export function applySgr(style: Style, parameters: string): Style {
  const codes = parameters.split(/[;:]/).map((code) => (code === '' ? 0 : Number(code)));
  let result = style;
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i] ?? 0;
    if (code === 38 || code === 48) {
      const { colour, used } = extendedColour(codes.slice(i + 1));
      i += used;
      if (colour !== null) result = { ...result, [code === 38 ? 'foreground' : 'background']: colour };
    } else {
      result = applyCode(result, code);
    }
  }
  return result;
}

/** The style as class names, '' for none. */
export function styleClasses(style: Style): string {
  const classes: string[] = [];
  if (style.foreground !== null) classes.push(`fg${style.foreground}`);
  if (style.background !== null) classes.push(`bg${style.background}`);
  if (style.bold) classes.push('bold');
  if (style.dim) classes.push('dim');
  if (style.italic) classes.push('italic');
  if (style.underline) classes.push('underline');
  if (style.strike) classes.push('strike');
  if (style.inverse) classes.push('inverse');
  return classes.join(' ');
}

function applyCode(style: Style, code: number): Style {
  if (code === 0) return PLAIN;
  const change = SWITCHES.get(code);
  if (change !== undefined) return { ...style, ...change };
  if (code >= 30 && code <= 37) return { ...style, foreground: code - 30 };
  if (code >= 40 && code <= 47) return { ...style, background: code - 40 };
  if (code >= 90 && code <= 97) return { ...style, foreground: code - 90 + 8 };
  if (code >= 100 && code <= 107) return { ...style, background: code - 100 + 8 };
  return style;
}

/** `5;n` or `2;r;g;b`, after 38 or 48. */
function extendedColour(codes: readonly number[]): { colour: number | null; used: number } {
  const [mode, first, second, third] = codes;
  if (mode === 5) return { colour: first === undefined ? null : ofPalette(first), used: 2 };
  if (mode === 2) return { colour: nearest(first ?? 0, second ?? 0, third ?? 0), used: 4 };
  return { colour: null, used: codes.length };
}

/** The 256-colour palette: sixteen basic ones, a cube of 6×6×6, and greys. */
function ofPalette(index: number): number | null {
  if (!(index >= 0 && index <= 255)) return null;
  if (index < 16) return index;
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return nearest(grey, grey, grey);
  }
  const cube = index - 16;
  const level = (step: number) => (step === 0 ? 0 : 55 + step * 40);
  return nearest(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

function nearest(red: number, green: number, blue: number): number {
  const brightest = Math.max(red, green, blue);
  const darkest = Math.min(red, green, blue);
  if (brightest - darkest < 32) return greyOf(brightest);
  const middle = (brightest + darkest) / 2;
  const hue = (red > middle ? 1 : 0) + (green > middle ? 2 : 0) + (blue > middle ? 4 : 0);
  return brightest > 200 ? hue + 8 : hue;
}

function greyOf(level: number): number {
  if (level < 64) return 0;
  if (level < 160) return 8;
  return level < 224 ? 7 : 15;
}

/** Parses the colours and weights of `ESC [ … m`, and writes them in one canonical form. */

export interface Style {
  /** The colour's codes, as `31` or `38;5;196`; '' for the default one. */
  readonly foreground: string;
  readonly background: string;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly strike: boolean;
  readonly inverse: boolean;
}

export const PLAIN: Style = {
  foreground: '',
  background: '',
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  strike: false,
  inverse: false,
};

/** Without conceal, blink and overline: the dashboard uses two of these for its own marks. */
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
  [39, { foreground: '' }],
  [49, { background: '' }],
]);

/** Foreground, background, and underline, which is ignored. */
const EXTENDED_COLOURS: ReadonlySet<number> = new Set([38, 48, 58]);

/** @param parameters the text between `ESC [` and `m` */
export function applySgr(style: Style, parameters: string): Style {
  const groups = parameters.split(';');
  let result = style;
  for (let i = 0; i < groups.length; i += 1) {
    const group = groups[i] ?? '';
    const code = Number(group.split(':')[0]);
    if (EXTENDED_COLOURS.has(code)) {
      const { colour, used } = group.includes(':') ? colonColour(group) : extendedColour(groups.slice(i + 1));
      i += used;
      result = applyColour(result, code, colour);
    } else {
      result = group === '4:0' ? { ...result, underline: false } : applyCode(result, code);
    }
  }
  return result;
}

/**
 * The codes that set this style, whatever was set before.
 *
 * Dim is written as the palette's grey: a terminal halves the contrast for dim, which is too little to read.
 */
export function sgrCodes(style: Style): string {
  const codes = ['0'];
  if (style.bold) codes.push('1');
  if (style.italic) codes.push('3');
  if (style.underline) codes.push('4');
  if (style.inverse) codes.push('7');
  if (style.strike) codes.push('9');
  if (style.foreground !== '') codes.push(style.foreground);
  else if (style.dim) codes.push('90');
  if (style.background !== '') codes.push(style.background);
  return codes.join(';');
}

function applyCode(style: Style, code: number): Style {
  if (code === 0) return PLAIN;
  if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) return { ...style, foreground: String(code) };
  if ((code >= 40 && code <= 47) || (code >= 100 && code <= 107)) return { ...style, background: String(code) };
  return { ...style, ...SWITCHES.get(code) };
}

function applyColour(style: Style, code: number, colour: string | null): Style {
  if (colour === null || code === 58) return style;
  return { ...style, [code === 38 ? 'foreground' : 'background']: `${code};${colour}` };
}

interface Colour {
  /** Null if the codes aren't a colour. */
  readonly colour: string | null;
  /** How many codes were consumed. */
  readonly used: number;
}

/** `5;n`, one of 256, or `2;r;g;b`. */
function extendedColour([kind, ...rest]: readonly string[]): Colour {
  if (kind === '5') return { colour: channels('5', rest.slice(0, 1), 1), used: 2 };
  if (kind === '2') return { colour: channels('2', rest.slice(0, 3), 3), used: 4 };
  return { colour: null, used: kind === undefined ? 0 : 1 };
}

/** The same in one group, as `38:5:n`, `38:2:r:g:b` or, with a colour space, `38:2::r:g:b`. */
function colonColour(group: string): Colour {
  const [, kind, ...rest] = group.split(':');
  if (kind === '5') return { colour: channels('5', rest.slice(0, 1), 1), used: 0 };
  if (kind === '2') return { colour: channels('2', rest.length > 3 ? rest.slice(1, 4) : rest, 3), used: 0 };
  return { colour: null, used: 0 };
}

function channels(kind: string, values: readonly string[], amount: number): string | null {
  const numbers = values.map(Number);
  const areAll = numbers.length === amount && numbers.every((value) => Number.isInteger(value) && value <= 255);
  return areAll ? [kind, ...numbers].join(';') : null;
}

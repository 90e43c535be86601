/** Whether long lines are wrapped: as this reader last wanted it. */

const KEY = 'leash.output.wrap';

export function rememberedWrap(): boolean {
  try {
    return localStorage.getItem(KEY) !== 'no';
  } catch {
    // Refused by the browser: then it is not remembered.
    return true;
  }
}

export function rememberWrap(wrap: boolean): void {
  try {
    localStorage.setItem(KEY, wrap ? 'yes' : 'no');
  } catch {
    // As above.
  }
}

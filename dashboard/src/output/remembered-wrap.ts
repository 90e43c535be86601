/** Whether long lines are wrapped, as this reader last chose. */

const KEY = 'leash.output.wrap';

export function rememberedWrap(): boolean {
  try {
    return localStorage.getItem(KEY) !== 'no';
  } catch {
    // If the browser refuses storage, the choice isn't remembered.
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

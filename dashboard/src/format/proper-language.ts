/**
 * Gives the browser's language a proper name if it has none. Chromium on a machine with `LANG=C` says `en-US@posix`,
 * which `Intl` refuses: uPlot, which hands it on while it is being loaded, could then not be loaded at all.
 */
export function nameLanguageProperly(): void {
  try {
    new Intl.NumberFormat(navigator.language);
  } catch {
    Object.defineProperty(navigator, 'language', { value: 'en', configurable: true });
  }
}

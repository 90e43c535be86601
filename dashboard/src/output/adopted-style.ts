/**
 * `<adopted-style>`: what a `<style>` element is, by way of a constructed style sheet, which `style-src 'self'` allows.
 * xterm.js makes its style elements as these (see `dashboard/xterm-under-csp.ts`).
 */
class AdoptedStyle extends HTMLElement {
  readonly #sheet = new CSSStyleSheet();

  override get textContent(): string {
    return '';
  }

  override set textContent(css: string | null) {
    this.#sheet.replaceSync(css ?? '');
  }

  connectedCallback(): void {
    document.adoptedStyleSheets.push(this.#sheet);
  }

  disconnectedCallback(): void {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== this.#sheet);
  }
}

/** Must be called before the first terminal is opened. */
export function defineAdoptedStyle(): void {
  if (customElements.get('adopted-style') === undefined) customElements.define('adopted-style', AdoptedStyle);
}

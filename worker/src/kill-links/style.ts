/** The style of the page behind a kill link: the dashboard's colours, for a screen from 320 pixels on. */
export const STYLE = `
:root { color-scheme: light dark; --ground: #f6f6f4; --surface: #fff; --line: #dfe0dc; --ink: #1d2321; --soft: #59625f;
  --accent: #1d5c63; --danger: #b3261e; --danger-ink: #fff; --warn: #825500; --focus: #0b6bcb; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #131716; --surface: #1a1f1e; --line: #2e3533; --ink: #e4e8e6; --soft: #9fa9a5;
    --accent: #7cc4c9; --danger: #ff8f85; --danger-ink: #2b0c09; --warn: #eebb55; --focus: #74b6ff; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink); overflow-wrap: anywhere;
  font: 1rem/1.5 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 40rem; margin: 0 auto;
  padding: max(1rem, env(safe-area-inset-top)) max(1rem, env(safe-area-inset-right))
    max(1rem, env(safe-area-inset-bottom)) max(1rem, env(safe-area-inset-left)); }
h1 { margin: 0 0 .75rem; font-size: 1.375rem; line-height: 1.25; }
h2 { margin: 1rem 0 .25rem; font-size: .9375rem; }
p { margin: .5rem 0; }
dl { margin: .75rem 0; padding: .25rem .75rem; background: var(--surface); border: 1px solid var(--line); border-radius: 8px; }
dl div { display: grid; grid-template-columns: 5.5rem minmax(0, 1fr); gap: .5rem; padding: .25rem 0; }
dt { color: var(--soft); }
dd { margin: 0; }
code, pre { font: .8125rem/1.45 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre { margin: 0; white-space: pre-wrap; tab-size: 4; }
.tail { display: flex; flex-direction: column-reverse; max-height: 35vh; overflow: auto; padding: .5rem .75rem;
  background: var(--surface); border: 1px solid var(--line); border-radius: 8px; }
@media (max-width: 30rem) { .tail { max-height: 27vh; } }
.soft, form p { color: var(--soft); font-size: .875rem; }
.warning { color: var(--warn); }
form { position: sticky; bottom: 0; margin: 1rem -1rem 0; padding: .75rem 1rem .25rem; background: var(--ground); }
button { display: block; width: 100%; min-height: 3.5rem; padding: .75rem 1rem; border: 0; border-radius: 8px;
  background: var(--danger); color: var(--danger-ink); font: inherit; font-size: 1.125rem; font-weight: 650;
  cursor: pointer; touch-action: manipulation; }
button.quiet { background: var(--surface); color: var(--ink); border: 1px solid var(--soft); }
a { color: var(--accent); text-underline-offset: .2em; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
`;

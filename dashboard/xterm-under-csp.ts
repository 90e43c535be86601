/**
 * Makes xterm.js keep to `style-src 'self'`.
 *
 * Its DOM renderer makes `<style>` elements, and colours cells by `setAttribute('style', …)`: the policy blocks both, and
 * no option of xterm's avoids them (`documentOverride` reaches neither the viewport nor the cells). The policy allows what
 * goes through the CSSOM, so the few places are put right as the page is built: a style element becomes an
 * `adopted-style` (`src/output/adopted-style.ts`), the attribute becomes `style.cssText`. A version of xterm that has
 * other places than these fails the build.
 */
import type { Plugin } from 'vite';

interface Place {
  readonly what: string;
  readonly pattern: RegExp;
  readonly replacement: string;
  readonly times: number;
}

const PLACES: readonly Place[] = [
  {
    what: 'elements `style` that are made',
    pattern: /createElement\("style"\)/g,
    replacement: 'createElement("adopted-style")',
    times: 3,
  },
  {
    what: 'attributes `style` that are set',
    pattern: /(\w+)\.setAttribute\("style",`\$\{\1\.getAttribute\("style"\)\|\|""\}\$\{(\w+)\};`\)/g,
    replacement: '$1.style.cssText+=$2+";"',
    times: 1,
  },
];

export function xtermUnderCsp(): Plugin {
  return {
    name: 'xterm-under-csp',
    enforce: 'pre',
    transform(code, id) {
      return id.endsWith('/@xterm/xterm/lib/xterm.mjs') ? { code: keepToCsp(code), map: null } : null;
    },
  };
}

/** @throws when the code is not as it was when this was written */
export function keepToCsp(code: string): string {
  const kept = PLACES.reduce((text, { what, pattern, replacement, times }) => {
    const found = text.match(pattern)?.length ?? 0;
    if (found !== times)
      throw new Error(`xterm.js has ${found} ${what}, not ${times}: see dashboard/xterm-under-csp.ts`);
    return text.replace(pattern, replacement);
  }, code);
  if (/setAttribute\("style"|createElement\("style"\)|\.innerHTML\s*=/.test(kept)) {
    throw new Error('xterm.js sets styles in a way that the policy blocks: see dashboard/xterm-under-csp.ts');
  }
  return kept;
}

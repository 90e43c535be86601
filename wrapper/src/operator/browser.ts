/** Opens an address in the operator's browser, where there is one. */
import { spawn } from 'node:child_process';
import type { Environment } from '../config/config-file.ts';

/** Does nothing where there is no browser: the address has been printed. */
export function openInBrowser(url: string, env: Environment): Promise<void> {
  const program = browserProgram(env);
  if (program === null) return Promise.resolve();
  return new Promise((resolve) => {
    const child = spawn(program, [url], { detached: true, stdio: 'ignore' });
    child.once('spawn', () => {
      child.unref();
      resolve();
    });
    // It is not installed.
    child.once('error', () => resolve());
  });
}

function browserProgram({ BROWSER, DISPLAY, WAYLAND_DISPLAY }: Environment): string | null {
  if (BROWSER !== undefined && BROWSER !== '') return BROWSER;
  if (process.platform === 'darwin') return 'open';
  // Without a display xdg-open would start a browser in this terminal.
  return DISPLAY || WAYLAND_DISPLAY ? 'xdg-open' : null;
}

/** The flags of `npm start` and `npm run dev`. */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './paths.ts';
import { StartError } from './start-error.ts';

export interface StartSettings {
  readonly port: number;
  readonly stateDir: string;
}

/** @param usage the program's first line of help, for whoever mistypes a flag */
export function readStartSettings(args: string[], usage: string): StartSettings | 'help' {
  let values: { port: string; state: string; help: boolean };
  try {
    ({ values } = parseArgs({
      args,
      options: {
        port: { type: 'string', default: '8787' },
        state: { type: 'string', default: join(ROOT, '.leash', 'state') },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }));
  } catch (error) {
    // parseArgs says what it did not understand.
    throw new StartError(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
  }
  if (values.help) return 'help';
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new StartError(`--port must be a number from 1 to 65535, not ${values.port}\n${usage}`);
  }
  // npm changes to the repository's root; a relative path means where it was typed.
  return { port, stateDir: resolve(process.env.INIT_CWD ?? process.cwd(), values.state) };
}

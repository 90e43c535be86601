/** The flags of `npm start` and `npm run dev`. */
import { join, resolve } from 'node:path';
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { ROOT } from './paths.ts';
import { StartError } from './start-error.ts';

export interface DevSettings {
  readonly port: number;
  readonly stateDir: string;
}

export interface StartSettings extends DevSettings {
  /** The address to listen on. */
  readonly host: string;
  /** Where a reverse proxy is reached that passes requests on; null: there is none. */
  readonly publicUrl: string | null;
  /** Whether no token is printed, because what is printed goes to a log. */
  readonly hidesTokens: boolean;
  /** Whether alerts may be sent to any address, also those of this machine. */
  readonly allowsPrivateAlerts: boolean;
}

const DEV_FLAGS = {
  port: { type: 'string', default: '8787' },
  state: { type: 'string', default: join(ROOT, '.leash', 'state') },
  help: { type: 'boolean', short: 'h', default: false },
} as const satisfies ParseArgsOptionsConfig;

const START_FLAGS = {
  ...DEV_FLAGS,
  host: { type: 'string', default: '127.0.0.1' },
  url: { type: 'string' },
  'hide-tokens': { type: 'boolean', default: false },
  'allow-private-alerts': { type: 'boolean', default: false },
} as const satisfies ParseArgsOptionsConfig;

/** @param usage the program's first line of help, for whoever mistypes a flag */
export function readDevSettings(args: string[], usage: string): DevSettings | 'help' {
  const values = orUsage(usage, () => parseArgs({ args, options: DEV_FLAGS }).values);
  return values.help ? 'help' : devSettings(values, usage);
}

/** @param usage see {@link readDevSettings} */
export function readStartSettings(args: string[], usage: string): StartSettings | 'help' {
  const values = orUsage(usage, () => parseArgs({ args, options: START_FLAGS }).values);
  if (values.help) return 'help';
  return {
    ...devSettings(values, usage),
    host: values.host,
    publicUrl: values.url === undefined ? null : readOrigin(values.url, usage),
    hidesTokens: values['hide-tokens'],
    allowsPrivateAlerts: values['allow-private-alerts'],
  };
}

function devSettings(values: { port: string; state: string }, usage: string): DevSettings {
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new StartError(`--port must be a number from 1 to 65535, not ${values.port}\n${usage}`);
  }
  // npm changes to the repository's root; a relative path means where it was typed.
  return { port, stateDir: resolve(process.env.INIT_CWD ?? process.cwd(), values.state) };
}

function readOrigin(text: string, usage: string): string {
  const url = URL.parse(text);
  const isOrigin = url !== null && /^https?:$/.test(url.protocol) && `${url.pathname}${url.search}${url.hash}` === '/';
  if (!isOrigin) {
    throw new StartError(
      `--url must be an address without a path, such as https://leash.example.com, not ${text}\n${usage}`,
    );
  }
  return url.origin;
}

/** parseArgs says what it did not understand. */
function orUsage<Values>(usage: string, parse: () => Values): Values {
  try {
    return parse();
  } catch (error) {
    throw new StartError(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
  }
}

/** `/etc/leash.conf`: settings for every run on this machine, because cron's environment is empty. */
import fs from 'node:fs';
import { resolve } from 'node:path';
import { pathOwnersSync } from '../host/path-owners.ts';

export const DEFAULT_CONFIG_PATH = '/etc/leash.conf';
const MAX_BYTES = 64 * 1024;

/** What the file may set: defaults for the environment variables of these names. */
const KEYS = [
  'LEASH_URL',
  'LEASH_TOKEN',
  'LEASH_TOKEN_FILE',
  'LEASH_CA_FILE',
  'LEASH_MACHINE',
  'LEASH_STATE_DIR',
  'LEASH_LOG',
  'LEASH_REDACT',
  'HTTPS_PROXY',
  'HTTP_PROXY',
  'ALL_PROXY',
  'NO_PROXY',
] as const;

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ConfigFile {
  readonly values: Environment;
  /** Lines for a person: what could not be read, and where. */
  readonly problems: readonly string[];
}

const NOTHING: ConfigFile = { values: {}, problems: [] };

/** Reads the file that `LEASH_CONFIG` names, or the machine's. That there is none is a problem only if it was named. */
export function readConfigFile(env: Environment): ConfigFile {
  const named = env.LEASH_CONFIG?.trim() || null;
  const path = named ?? DEFAULT_CONFIG_PATH;
  let text: string;
  try {
    const why = whyNotRoots(path);
    if (why !== null) return { values: {}, problems: [`ignored the settings in ${path}: ${why}`] };
    if (fs.statSync(path).size > MAX_BYTES)
      return { values: {}, problems: [`ignored ${path}: it is too large for a settings file`] };
    text = fs.readFileSync(path, 'utf8');
  } catch (error) {
    // Missing or not readable: the run continues without it.
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (code === 'ENOENT' && named === null) return NOTHING;
    return {
      values: {},
      problems: [`cannot read the settings in ${path}: ${REASONS[code] ?? code}; they are ignored`],
    };
  }
  return parseConfig(text, path);
}

/** Another user who could replace root's settings would choose where root's runs are reported, and which files are written. */
function whyNotRoots(path: string): string | null {
  if (process.getuid?.() !== 0) return null;
  const owners = pathOwnersSync(resolve(path));
  return owners.kind === 'shared' ? owners.why : null;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'file not found',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
};

/** Reads `KEY=VALUE` lines; ignores empty ones and those that begin with `#`, and removes quotes around a value. */
export function parseConfig(text: string, path: string): ConfigFile {
  const values: Record<string, string> = {};
  const problems: string[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const at = line.indexOf('=');
    const key = line.slice(0, at).trim();
    // The line itself is not repeated: it may be a mistyped token.
    if (at < 1) problems.push(`${path}, line ${index + 1}: not KEY=VALUE, ignored`);
    else if (!isKey(key)) problems.push(`${path}, line ${index + 1}: unknown setting ${key.slice(0, 40)}, ignored`);
    else values[key] = unquote(line.slice(at + 1).trim());
  }
  return { values, problems };
}

function isKey(text: string): text is (typeof KEYS)[number] {
  return (KEYS as readonly string[]).includes(text);
}

function unquote(value: string): string {
  const quoted = /^(["'])(.*)\1$/.exec(value);
  return quoted?.[2] ?? value;
}

/**
 * The environment, with the file's settings as defaults. An empty setting counts as not set, in either of them.
 *
 * Alternative settings count as one: a token in the file does not override a token file in the environment.
 */
export function withConfig(env: Environment, file: Environment): Environment {
  const settings: Record<string, string | undefined> = { ...env };
  for (const [key, value] of Object.entries(file)) {
    if (alternatives(key).every((each) => isBlank(env[each]))) settings[key] = value;
  }
  for (const key of KEYS) {
    if (isBlank(settings[key])) delete settings[key];
  }
  return settings;
}

function isBlank(value: string | undefined): boolean {
  return value === undefined || value.trim() === '';
}

function alternatives(key: string): string[] {
  if (key === 'LEASH_TOKEN' || key === 'LEASH_TOKEN_FILE') return ['LEASH_TOKEN', 'LEASH_TOKEN_FILE'];
  return key.endsWith('_PROXY') ? [key, key.toLowerCase()] : [key];
}

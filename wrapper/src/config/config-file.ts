/** `/etc/leash.conf`, or a user's own: settings for every run, because cron's environment is empty. */
import fs from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { pathOwnersSync } from '../host/path-owners.ts';

export const DEFAULT_CONFIG_PATH = '/etc/leash.conf';
const MAX_BYTES = 64 * 1024;

/** What the file may set: defaults for the environment variables of these names. */
export const CONFIG_KEYS = [
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

/**
 * Reads the file that `LEASH_CONFIG` names, else the user's own, else the machine's. That there is none is a problem only if
 * it was named.
 */
export function readConfigFile(env: Environment, uid = process.getuid?.() ?? null): ConfigFile {
  const named = env.LEASH_CONFIG?.trim() || null;
  if (named !== null) {
    const reading = readFile(named, uid, uid === 0);
    if (reading.kind === 'read') return reading.config;
    const why = reading.kind === 'absent' ? cannotRead(named, reading.code) : reading.why;
    return { values: {}, problems: [why] };
  }
  const own = userConfigPath(env, uid);
  const ignored: string[] = [];
  for (const [path, mustBeOurs] of [
    [own, true],
    [DEFAULT_CONFIG_PATH, uid === 0],
  ] as const) {
    const reading = path === null ? null : readFile(path, uid, mustBeOurs);
    if (reading?.kind === 'read') return { ...reading.config, problems: [...ignored, ...reading.config.problems] };
    if (reading?.kind === 'ignored') ignored.push(reading.why);
  }
  return { values: {}, problems: ignored };
}

/** Where the settings of one user are, as install.sh writes them. Null for root, whose settings are the machine's. */
export function userConfigPath({ HOME: home }: Environment, uid = process.getuid?.() ?? null): string | null {
  return uid === 0 || home === undefined || !isAbsolute(home) ? null : join(home, '.config', 'leash', 'leash.conf');
}

type Reading =
  /** Or out of reach, as the home of another user may be. */
  | { readonly kind: 'absent'; readonly code: string }
  | { readonly kind: 'ignored'; readonly why: string }
  | { readonly kind: 'read'; readonly config: ConfigFile };

/** @param mustBeOurs whether a file that another user could replace is ignored */
function readFile(path: string, uid: number | null, mustBeOurs: boolean): Reading {
  let size: number;
  try {
    ({ size } = fs.statSync(path));
  } catch (error) {
    return { kind: 'absent', code: codeOf(error) };
  }
  try {
    const why = mustBeOurs ? whyShared(path, uid) : null;
    if (why !== null) return { kind: 'ignored', why: `ignored the settings in ${path}: ${why}` };
    if (size > MAX_BYTES) return { kind: 'ignored', why: `ignored ${path}: it is too large for a settings file` };
    return { kind: 'read', config: parseConfig(fs.readFileSync(path, 'utf8'), path) };
  } catch (error) {
    // Not readable: the run continues without it.
    return { kind: 'ignored', why: cannotRead(path, codeOf(error)) };
  }
}

function cannotRead(path: string, code: string): string {
  return `cannot read the settings in ${path}: ${REASONS[code] ?? code}; they are ignored`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

/** Another user who could replace the settings would choose where runs are reported, and which files are written. */
function whyShared(path: string, uid: number | null): string | null {
  const owners = pathOwnersSync(resolve(path), uid);
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

function isKey(text: string): text is (typeof CONFIG_KEYS)[number] {
  return (CONFIG_KEYS as readonly string[]).includes(text);
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
  for (const key of CONFIG_KEYS) {
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

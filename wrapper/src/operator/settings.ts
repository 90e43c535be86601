/**
 * Which control plane an operator's subcommand asks, and with which token: by flags, then the environment, then
 * `leash login`, then the settings of this machine's runs.
 *
 * A token is never sent to another control plane than it is for: where a source has both, its token counts only for its URL.
 */
import { type Environment, readConfigFile, withConfig } from '../config/config-file.ts';
import { readBaseUrl, type TokenSource } from '../config/control-plane.ts';
import { EXIT } from './exit-codes.ts';
import { loginPath, readLogin } from './login-file.ts';
import { OperatorError } from './operator-error.ts';

export interface OperatorFlags {
  readonly url: string | null;
  readonly tokenFile: string | null;
}

export interface OperatorSettings {
  /** `https:` or `http:`, without a slash at the end. */
  readonly url: URL;
  readonly token: TokenSource;
  /** Where the token is from, for a person: `$LEASH_TOKEN`, a file. */
  readonly tokenFrom: string;
  readonly caFile: string | null;
  /** Environment variables, of which those that name proxies are used. */
  readonly proxyEnv: Environment;
}

/** A place that names a control plane, a token, or both. */
interface Source {
  readonly url: string | null;
  readonly token: TokenSource | null;
  readonly tokenFrom: string;
}

/** @throws {OperatorError} when they don't say which control plane, or have no token for it */
export async function readOperatorSettings(flags: OperatorFlags, env: Environment): Promise<OperatorSettings> {
  const config = readConfigFile(env);
  const sources: Source[] = [fromFlags(flags), fromEnvironment(env, '$')];
  // What comes first suffices: then a login file that can't be used doesn't matter.
  if (!isComplete(sources)) sources.push(await fromLogin(env));
  if (!isComplete(sources)) sources.push(fromEnvironment(config.values, 'the settings file’s '));
  const url = controlPlaneUrl(sources);
  const fitting = sources.find((source) => source.token !== null && (source.url === null || isSame(source.url, url)));
  if (fitting === undefined || fitting.token === null) {
    throw new OperatorError(
      `There is no token for ${url.href.replace(/\/$/, '')}. Sign in with leash login.`,
      EXIT.usage,
    );
  }
  const settings = withConfig(env, config.values);
  return {
    url,
    token: fitting.token,
    tokenFrom: fitting.tokenFrom,
    caFile: settings.LEASH_CA_FILE?.trim() || null,
    proxyEnv: settings,
  };
}

/** @returns null when the text isn't a URL of a control plane */
export function parseControlPlaneUrl(text: string): URL | null {
  const base = readBaseUrl(text.includes('://') ? text : `https://${text}`);
  return base === null ? null : new URL(base.baseUrl.replace(/^ws/, 'http'));
}

function fromFlags({ url, tokenFile }: OperatorFlags): Source {
  const token: TokenSource | null = tokenFile === null ? null : { kind: 'file', path: tokenFile };
  return { url, token, tokenFrom: tokenFile ?? '' };
}

/** @param prefix of a variable's name, for a person */
function fromEnvironment(env: Environment, prefix: string): Source {
  const url = env.LEASH_URL?.trim() || null;
  const token = env.LEASH_TOKEN?.trim();
  const file = env.LEASH_TOKEN_FILE?.trim();
  if (token) return { url, token: { kind: 'value', token }, tokenFrom: `${prefix}LEASH_TOKEN` };
  if (file) return { url, token: { kind: 'file', path: file }, tokenFrom: file };
  return { url, token: null, tokenFrom: '' };
}

async function fromLogin(env: Environment): Promise<Source> {
  const login = await readLogin(env);
  if (login === null) return { url: null, token: null, tokenFrom: '' };
  return { url: login.url, token: { kind: 'value', token: login.token }, tokenFrom: loginPath(env) };
}

function isComplete(sources: readonly Source[]): boolean {
  const named = sources.find(({ url }) => url !== null)?.url ?? null;
  const url = named === null ? null : parseControlPlaneUrl(named);
  return url !== null && sources.some((each) => each.token !== null && (each.url === null || isSame(each.url, url)));
}

function controlPlaneUrl(sources: readonly Source[]): URL {
  const named = sources.find(({ url }) => url !== null)?.url ?? null;
  if (named === null) {
    throw new OperatorError('No control plane is set. Sign in with leash login, or set LEASH_URL.', EXIT.usage);
  }
  const url = parseControlPlaneUrl(named);
  if (url === null)
    throw new OperatorError(
      `${named} is not the URL of a control plane, such as https://leash.example.com.`,
      EXIT.usage,
    );
  return url;
}

function isSame(text: string, url: URL): boolean {
  return parseControlPlaneUrl(text)?.href === url.href;
}

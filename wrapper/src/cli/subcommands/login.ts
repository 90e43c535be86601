/** `leash login`. */
import { Session } from '#protocol/api';
import { readConfigFile, withConfig } from '../../config/config-file.ts';
import { readBaseUrl } from '../../config/control-plane.ts';
import { readTokenFile } from '../../config/token-file.ts';
import { describeError } from '../../logging/log.ts';
import { ApiClient } from '../../operator/api-client.ts';
import { EXIT } from '../../operator/exit-codes.ts';
import { loginPath, readLogin, writeLogin } from '../../operator/login-file.ts';
import { OperatorError } from '../../operator/operator-error.ts';
import { ask, askSecret, canAsk, readStdin } from '../../operator/prompt.ts';
import { showSession } from '../../operator/session.ts';
import { parseControlPlaneUrl } from '../../operator/settings.ts';
import { readFlagsAndWords, UsageError } from '../flags.ts';
import { reportErrors } from '../operator-subcommand.ts';
import { defineSubcommand } from '../subcommand.ts';

const HELP = `leash login: keep a token, so that other subcommands need none.

Usage:
  leash login [URL]
  leash login [URL] --token-stdin < FILE

Asks for the address of the control plane and for the secret of a token, which it doesn't show,
checks them, prints what the token may do, and keeps both in a file that only you can read:
$XDG_CONFIG_HOME/leash/login.json, or ~/.config/leash/login.json. One login is kept; a new one
replaces it. $LEASH_URL and $LEASH_TOKEN still come first.

Options:
  --token-stdin          read the secret from stdin
  --token-file FILE      read it from FILE
  --json                 print the API's own JSON
  -h, --help             print this text

Exit code: 0 done, 1 failed, 2 usage, 4 the token was not accepted, 6 out of reach
`;

interface LoginOptions {
  readonly url: string | null;
  readonly secret: { readonly from: 'terminal' | 'stdin' } | { readonly from: 'file'; readonly path: string };
  readonly asJson: boolean;
}

function parseLogin(argv: readonly string[]): LoginOptions | null {
  const { values: flags, positionals } = readFlagsAndWords(argv, {
    url: { type: 'string' },
    'token-stdin': { type: 'boolean' },
    'token-file': { type: 'string' },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  if (flags.help) return null;
  const [word, ...others] = positionals;
  // A secret in the arguments is known to everybody on the machine, and to the shell's history.
  if (others.length > 0)
    throw new UsageError('leash login takes one argument at most: the URL; it asks for the secret');
  const path = flags['token-file'];
  if (path !== undefined && flags['token-stdin']) {
    throw new UsageError('--token-stdin and --token-file are mutually exclusive');
  }
  return {
    url: word ?? flags.url ?? null,
    secret: path === undefined ? { from: flags['token-stdin'] ? 'stdin' : 'terminal' } : { from: 'file', path },
    asJson: flags.json ?? false,
  };
}

export const subcommand = defineSubcommand({
  help: HELP,
  parse: parseLogin,
  run: (options, { env, version }) =>
    reportErrors(env, async (output) => {
      if (options.secret.from === 'terminal' && !canAsk()) {
        throw new OperatorError('There is no terminal to ask on. Use --token-stdin or --token-file.', EXIT.usage);
      }
      const config = withConfig(env, readConfigFile(env).values);
      const url = await chooseUrl(options, env, config.LEASH_URL ?? null);
      const token = await readSecret(options.secret);
      const settings = {
        url,
        token: { kind: 'value', token },
        tokenFrom: loginPath(env),
        caFile: config.LEASH_CA_FILE ?? null,
        proxyEnv: config,
      } as const;
      const api = new ApiClient({ settings: { ...settings, tokenFrom: 'what was entered' }, version });
      const session = await api.get(Session, 'session', { path: '/session' });
      api.close();
      await writeLogin(env, { url: url.href.replace(/\/$/, ''), token });
      if (options.asJson) output.json(session.raw);
      else showSession(session.value, { settings, now: () => api.now() }, output);
      for (const line of warnings(session.value, url, env)) output.note(line);
      return EXIT.done;
    }),
});

async function chooseUrl(
  { url, secret }: LoginOptions,
  env: NodeJS.ProcessEnv,
  configured: string | null,
): Promise<URL> {
  // One that can't be used is about to be replaced.
  const login = await readLogin(env).catch(() => null);
  const usual = login?.url ?? configured;
  const text = url ?? (secret.from === 'terminal' ? await askUrl(usual) : usual) ?? '';
  if (text === '') throw new OperatorError('Which control plane? leash login https://leash.example.com', EXIT.usage);
  const parsed = parseControlPlaneUrl(text);
  if (parsed === null)
    throw new OperatorError(
      `${text} is not the URL of a control plane, such as https://leash.example.com.`,
      EXIT.usage,
    );
  return parsed;
}

async function askUrl(usual: string | null): Promise<string | null> {
  const answer = await ask(usual === null ? 'Control plane (https://…): ' : `Control plane [${usual}]: `);
  return answer === '' ? usual : answer;
}

async function readSecret(secret: LoginOptions['secret']): Promise<string> {
  const text = await secretText(secret);
  if (text === '') throw new OperatorError('No token was given.', EXIT.usage);
  return text;
}

async function secretText(secret: LoginOptions['secret']): Promise<string> {
  switch (secret.from) {
    case 'terminal':
      return askSecret('Token (it is not shown): ');
    case 'stdin':
      return readStdin();
    case 'file':
      return readTokenFile(secret.path).catch((error: unknown) => {
        throw new OperatorError(`Can't read the token: ${describeError(error)}.`);
      });
  }
}

function warnings({ scopes }: Session, url: URL, env: NodeJS.ProcessEnv): string[] {
  return [
    ...(scopes.every((scope) => scope === 'run')
      ? ['This token may only report runs: operators need one with the scope read.']
      : []),
    ...(readBaseUrl(url.href)?.isUnencrypted ? [`The token is sent unencrypted to ${url.host}: use https.`] : []),
    ...['LEASH_URL', 'LEASH_TOKEN', 'LEASH_TOKEN_FILE']
      .filter((name) => env[name]?.trim())
      .map((name) => `$${name} is set, and comes before this login.`),
  ];
}

/** Runs wrangler, quietly: what it prints is shown only if it fails. */
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import * as v from 'valibot';
import { ROOT } from '../local/paths.ts';
import type { Credentials } from './cloudflare-api.ts';
import { DeployError } from './deploy-error.ts';
import { type ProgramResult, runProgram } from './run-program.ts';

const WRANGLER = join(ROOT, 'node_modules', '.bin', 'wrangler');

export type RunWrangler = (args: readonly string[], env?: Readonly<Record<string, string>>) => Promise<ProgramResult>;

export const runWrangler: RunWrangler = (args, env = {}) =>
  runProgram(WRANGLER, args, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    // It asks no questions: what it would ask is decided before it starts.
    env: {
      ...process.env,
      CI: '1',
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      NO_COLOR: '1',
      WRANGLER_LOG: 'log',
      // For our own calls: wrangler goes through a proxy by itself.
      NODE_USE_ENV_PROXY: '0',
      ...env,
    },
  });

/** Has the operator sign in by the browser. @returns whether that succeeded */
export async function signInByBrowser(): Promise<boolean> {
  return (await runProgram(WRANGLER, ['login'], { cwd: ROOT, stdio: 'inherit' })).status === 0;
}

const AuthToken = v.pipe(
  v.string(),
  v.parseJson(),
  v.variant('type', [
    v.object({ type: v.literal('oauth'), token: v.string() }),
    v.object({ type: v.literal('api_token'), token: v.string() }),
    v.object({ type: v.literal('api_key'), key: v.string(), email: v.string() }),
  ]),
);

/** How calls are signed; null if nobody is signed in. */
export async function findCredentials(env: NodeJS.ProcessEnv, run: RunWrangler): Promise<Credentials | null> {
  if (env.CLOUDFLARE_API_TOKEN !== undefined && env.CLOUDFLARE_API_TOKEN !== '') {
    return { kind: 'token', token: env.CLOUDFLARE_API_TOKEN };
  }
  // Signed in by `wrangler login`, by an older pair of variables, or by .env. It renews what has expired.
  const { status, stdout } = await run(['auth', 'token', '--json']);
  if (status !== 0) return null;
  const parsed = v.safeParse(AuthToken, stdout);
  if (!parsed.success) return null;
  const { output } = parsed;
  return output.type === 'api_key'
    ? { kind: 'key', email: output.email, key: output.key }
    : { kind: 'token', token: output.token };
}

/** Uploads the Worker as the configuration says. @throws DeployError with all that wrangler printed */
export async function uploadWorker(
  run: RunWrangler,
  upload: { readonly configFile: string; readonly secretsFile: string | null },
): Promise<void> {
  const secrets = upload.secretsFile === null ? [] : ['--secrets-file', upload.secretsFile];
  const { status, output } = await run(['deploy', '--config', upload.configFile, ...secrets]);
  if (status === 0) return;
  throw new DeployError(`The Worker could not be uploaded. wrangler says:\n\n${indented(errorIn(output))}`);
}

/** From the error on: before it, wrangler lists all that it has uploaded. */
function errorIn(output: string): string {
  const lines = stripVTControlCharacters(output).split('\n');
  const start = lines.findIndex((line) => line.includes('[ERROR]'));
  return lines
    .slice(Math.max(start, 0))
    .filter((line) => !line.includes('If you think this is a bug'))
    .join('\n')
    .replace(/\n{3,}/g, '\n\n');
}

function indented(text: string): string {
  return text
    .trim()
    .split('\n')
    .map((line) => `  ${line}`.trimEnd())
    .join('\n');
}

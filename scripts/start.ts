/**
 * `npm start -- --port N --state DIR`: the control plane alone, on this machine. What it stores stays in the state
 * directory, the tokens made here included.
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import * as v from 'valibot';
import { MIN_ADMIN_TOKEN_CHARS } from '#protocol/limits';
import { ApiClient } from './local/api-client.ts';
import { spawnControlPlane } from './local/control-plane-child.ts';
import { ROOT } from './local/paths.ts';
import { StartError } from './local/start-error.ts';
import { onStopRequest } from './local/stop-request.ts';

const USAGE = 'usage: npm start -- [--port N] [--state DIR]';
const HELP = `${USAGE}

Starts the control plane on this machine, on 127.0.0.1 only, and prints the page's link and the line that puts a
first job on the leash. Ctrl-C stops it.

  --port N     listen on this port (8787)
  --state DIR  keep tokens, runs and output there (.leash/state in the repository)
  --help       this

LEASH_ADMIN_TOKEN in the environment is the first admin token; without it one is made and kept in the state
directory. The API is described by /openapi.json, once it runs, and in docs/protocol.md.`;

interface Settings {
  readonly port: number;
  readonly stateDir: string;
}

interface AdminToken {
  readonly secret: string;
  /** Where it comes from: one that was given is its owner's to show. */
  readonly origin: 'given' | 'made' | 'kept';
}

/** What the run token's file holds: its id, to see whether it still stands, and the token. */
const KeptToken = v.pipe(v.string(), v.parseJson(), v.object({ id: v.string(), secret: v.string() }));

try {
  const settings = readSettings(process.argv.slice(2));
  if (settings === 'help') console.log(HELP);
  else await start(settings);
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

async function start({ port, stateDir }: Settings): Promise<void> {
  await makeStateDir(stateDir);
  const adminToken = await chooseAdminToken(stateDir);
  const controlPlane = await spawnControlPlane({ port, stateDir, adminToken: adminToken.secret });
  const stopRequested = onStopRequest();
  try {
    const runToken = await ensureRunToken(controlPlane.url, adminToken.secret, stateDir);
    console.log(greeting(controlPlane.url, stateDir, adminToken, runToken));
  } catch (error) {
    await controlPlane.stop();
    throw error;
  }
  const why = await Promise.race([stopRequested, controlPlane.ended.then(() => 'ended' as const)]);
  await controlPlane.stop();
  if (why === 'ended') throw new StartError('The control plane ended by itself: see above.');
  console.log('Stopped.');
}

function readSettings(args: string[]): Settings | 'help' {
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
    throw new StartError(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  }
  if (values.help) return 'help';
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new StartError(`--port takes a number from 1 to 65535, not ${values.port}\n${USAGE}`);
  }
  // npm changes to the repository's root; a relative path means where it was typed.
  return { port, stateDir: resolve(process.env.INIT_CWD ?? process.cwd(), values.state) };
}

async function makeStateDir(stateDir: string): Promise<void> {
  try {
    await mkdir(stateDir, { recursive: true });
    // Whoever reads it reads every job's output.
    await chmod(stateDir, 0o700);
  } catch (error) {
    throw new StartError(
      `The state directory can't be used: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

async function chooseAdminToken(stateDir: string): Promise<AdminToken> {
  const given = process.env.LEASH_ADMIN_TOKEN;
  if (given !== undefined && given !== '') {
    if (given.length < MIN_ADMIN_TOKEN_CHARS) {
      throw new StartError(
        `LEASH_ADMIN_TOKEN has fewer than ${MIN_ADMIN_TOKEN_CHARS} characters. Set a long random one.`,
      );
    }
    return { secret: given, origin: 'given' };
  }
  const file = join(stateDir, 'admin-token');
  const kept = await readIfThere(file);
  if (kept !== null && kept.trim() !== '') return { secret: kept.trim(), origin: 'kept' };
  const secret = `leash_admin_${randomBytes(24).toString('base64url')}`;
  await writeFile(file, `${secret}\n`, { mode: 0o600 });
  return { secret, origin: 'made' };
}

/** The token for wrappers: made once, kept, and made anew when someone has revoked it. */
async function ensureRunToken(url: string, adminToken: string, stateDir: string): Promise<string> {
  const api = new ApiClient(url, adminToken);
  const file = join(stateDir, 'run-token.json');
  const kept = v.safeParse(KeptToken, await readIfThere(file));
  if (kept.success && (await api.tokens()).some((token) => token.id === kept.output.id)) return kept.output.secret;
  const { token, secret } = await api.createToken({ name: 'npm start', scopes: ['run'] });
  await writeFile(file, `${JSON.stringify({ id: token.id, secret })}\n`, { mode: 0o600 });
  return secret;
}

function greeting(url: string, stateDir: string, adminToken: AdminToken, runToken: string): string {
  const link = adminToken.origin === 'given' ? `${url}/` : `${url}/#token=${adminToken.secret}`;
  const signIn = {
    given: 'sign in with your LEASH_ADMIN_TOKEN',
    made: `made now, kept in ${shown(join(stateDir, 'admin-token'))}`,
    kept: `kept in ${shown(join(stateDir, 'admin-token'))}`,
  }[adminToken.origin];
  return `
Leash is up at ${url}, its state in ${shown(stateDir)}.

The page, with the admin token (${signIn}):

  ${link}

Paste this line in a terminal to put a first job on the leash (Node 18 or later):

  ${pasteLine(url, runToken)}

Ctrl-C stops the control plane. Jobs that run go on, and come back by themselves.
`;
}

/** Fetches the wrapper from this control plane, and runs a job that can be watched for some seconds. */
function pasteLine(url: string, runToken: string): string {
  const job = `sh -c 'for i in 1 2 3 4 5; do echo "hello $i from $(uname -n)"; sleep 1; done'`;
  return `curl -fsSo leash.cjs ${url}/leash.cjs && LEASH_URL=${url} LEASH_TOKEN=${runToken} node leash.cjs run --job hello -- ${job}`;
}

function shown(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith('..') || isAbsolute(fromHere) ? path : fromHere;
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new StartError(`${file} can't be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

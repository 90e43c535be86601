/** The state directory of a control plane on this machine, and the tokens that are kept in it. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { givenAdminToken, makeAdminToken } from './admin-token.ts';
import { ApiClient } from './api-client.ts';
import { StartError } from './start-error.ts';

export interface AdminToken {
  readonly secret: string;
  /** Where it comes from: one that was given is its owner's to show. */
  readonly origin: 'given' | 'made' | 'kept';
}

/** What the run token's file holds: its id, to see whether it is still valid, and the token. */
const KeptToken = v.pipe(v.string(), v.parseJson(), v.object({ id: v.string(), secret: v.string() }));

/** Makes the directory if it is not there yet, for its owner alone. */
export async function makeStateDir(stateDir: string): Promise<void> {
  try {
    await mkdir(stateDir, { recursive: true });
    // Whoever reads it reads every job's output.
    await chmod(stateDir, 0o700);
  } catch (error) {
    throw new StartError(`Cannot use the state directory: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The first admin token: LEASH_ADMIN_TOKEN, or one that is made and kept. */
export async function chooseAdminToken(stateDir: string): Promise<AdminToken> {
  const given = givenAdminToken(process.env, StartError);
  if (given !== null) return { secret: given, origin: 'given' };
  const file = join(stateDir, 'admin-token');
  const kept = await readIfThere(file);
  if (kept !== null && kept.trim() !== '') return { secret: kept.trim(), origin: 'kept' };
  const secret = makeAdminToken();
  await writeFile(file, `${secret}\n`, { mode: 0o600 });
  return { secret, origin: 'made' };
}

/** The token for wrappers: created once and saved, and created again after it was revoked. */
export async function ensureRunToken(url: string, adminToken: string, stateDir: string): Promise<string> {
  const api = new ApiClient(url, adminToken);
  const file = join(stateDir, 'run-token.json');
  const kept = v.safeParse(KeptToken, await readIfThere(file));
  if (kept.success && (await api.tokens()).some((token) => token.id === kept.output.id)) return kept.output.secret;
  const { token, secret } = await api.createToken({ name: 'npm start', scopes: ['run'] });
  await writeFile(file, `${JSON.stringify({ id: token.id, secret })}\n`, { mode: 0o600 });
  return secret;
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new StartError(`Cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * The admin token of a deployment: made here, uploaded with the Worker, shown once. Until it is shown it is kept in a file for
 * its owner alone, and uploaded again by each deployment: so the token that is shown is the one that is deployed, wherever
 * an earlier deployment was interrupted.
 */
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { MIN_ADMIN_TOKEN_CHARS } from '#protocol/limits';
import { givenAdminToken, makeAdminToken } from '../local/admin-token.ts';
import { DeployError } from './deploy-error.ts';
import { ADMIN_TOKEN } from './worker-state.ts';

/**
 * - `kept`: the Worker has one
 * - `given`: by the operator, who knows it
 * - `made`: to be shown. `secret` is null as long as it is only planned
 * - `unknown`: never shown, in a build where its log would show it to others
 */
export type AdminTokenPlan =
  | { readonly kind: 'kept' }
  | { readonly kind: 'given'; readonly secret: string }
  | { readonly kind: 'made'; readonly secret: string | null }
  | { readonly kind: 'unknown' };

/** What wrangler takes as a file of secrets. */
const SecretsFile = v.pipe(v.string(), v.parseJson(), v.object({ [ADMIN_TOKEN]: v.string() }));

export class AdminTokenFile {
  readonly #directory: string;

  /** @param directory of this deployment alone */
  constructor(directory: string) {
    this.#directory = directory;
  }

  get #pendingFile(): string {
    return join(this.#directory, 'admin-token.json');
  }

  get #uploadFile(): string {
    return join(this.#directory, 'secrets.json');
  }

  /** The token that was made and not shown yet. */
  async pending(): Promise<string | null> {
    try {
      return v.parse(SecretsFile, await readFile(this.#pendingFile, 'utf8'))[ADMIN_TOKEN];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      // It was interrupted while it was written, so it was not uploaded.
      if (v.isValiError(error)) return null;
      throw error;
    }
  }

  /** Makes the token if it is only planned. @returns it, and the file to upload; null where there is nothing to upload */
  async prepare(plan: AdminTokenPlan): Promise<{ readonly secret: string; readonly file: string } | null> {
    if (plan.kind === 'kept') return null;
    const secret =
      plan.kind === 'given' ? plan.secret : ((plan.kind === 'made' ? plan.secret : null) ?? makeAdminToken());
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await chmod(this.#directory, 0o700);
    const content = `${JSON.stringify({ [ADMIN_TOKEN]: secret })}\n`;
    if (plan.kind === 'made') await writeFile(this.#pendingFile, content, { mode: 0o600 });
    await writeFile(this.#uploadFile, content, { mode: 0o600 });
    return { secret, file: this.#uploadFile };
  }

  /** The upload has ended, in whatever way. */
  async uploadEnded(): Promise<void> {
    await rm(this.#uploadFile, { force: true });
  }

  /** The token was shown. */
  async shown(): Promise<void> {
    await rm(this.#pendingFile, { force: true });
  }
}

/** @throws DeployError when the given token is too short, or a token would be shown in the log of a CI job */
export function planAdminToken(facts: {
  /** Whether the Worker has one; null: unknown. */
  readonly hasAdminToken: boolean;
  readonly isNewWanted: boolean;
  readonly pending: string | null;
  readonly env: NodeJS.ProcessEnv;
}): AdminTokenPlan {
  const { hasAdminToken, isNewWanted, pending, env } = facts;
  if (hasAdminToken && !isNewWanted && pending === null) return { kind: 'kept' };
  const given = givenAdminToken(env, DeployError);
  if (given !== null) return { kind: 'given', secret: given };
  // The deploy button asks for the token and sets it itself, after the first deployment or before it.
  if (env.WORKERS_CI === '1') return hasAdminToken && !isNewWanted ? { kind: 'kept' } : { kind: 'unknown' };
  if (isCi(env)) {
    throw new DeployError(
      `${isNewWanted ? 'A new' : 'The first'} admin token would be shown in the log of this CI job. Set ${ADMIN_TOKEN} as a secret of the job, at least ${MIN_ADMIN_TOKEN_CHARS} random characters (openssl rand -hex 24), or deploy once from a terminal.`,
    );
  }
  return { kind: 'made', secret: pending };
}

export function isCi(env: NodeJS.ProcessEnv): boolean {
  return env.CI !== undefined && env.CI !== '' && env.CI !== 'false' && env.CI !== '0';
}

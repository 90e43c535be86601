/** Admin tokens, of a deployment and of a control plane on this machine. */
import { randomBytes } from 'node:crypto';
import { MIN_ADMIN_TOKEN_CHARS } from '#protocol/limits';

export function makeAdminToken(): string {
  return `leash_admin_${randomBytes(24).toString('base64url')}`;
}

/**
 * The token that LEASH_ADMIN_TOKEN gives; null if it gives none.
 *
 * @param Refusal is thrown when it is too short
 */
export function givenAdminToken(env: NodeJS.ProcessEnv, Refusal: new (message: string) => Error): string | null {
  const given = env.LEASH_ADMIN_TOKEN;
  if (given === undefined || given === '') return null;
  if (given.length >= MIN_ADMIN_TOKEN_CHARS) return given;
  throw new Refusal(`LEASH_ADMIN_TOKEN has fewer than ${MIN_ADMIN_TOKEN_CHARS} characters. Set a longer, random one.`);
}

/** What a socket was opened with: the token, secret and session that it ends with. Hashes, never secrets. */
import * as v from 'valibot';
import { Scope } from '#protocol/api';
import { matchesGlob } from '#protocol/glob';

const Hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

/** What a token may do, and its name: with it an object can judge a kill while D1 is away. */
const Grant = v.object({ name: v.string(), scopes: v.array(Scope), jobs: v.string() });
export type Grant = v.InferOutput<typeof Grant>;

/** Whether a token has a scope, for a job if one is given. `admin` includes the other scopes. */
export function allows(
  { scopes, jobs }: { readonly scopes: readonly Scope[]; readonly jobs: string },
  scope: Scope,
  job?: string,
): boolean {
  return (scopes.includes(scope) || scopes.includes('admin')) && (job === undefined || matchesGlob(jobs, job));
}

const Credential = v.object({
  /** The token's id. */
  token: v.string(),
  secret: Hash,
  /** Of the dashboard's session; null if the token itself was presented. */
  session: v.nullable(Hash),
  /** Absent if an older Worker has sent it. */
  grant: v.optional(Grant),
});
export type Credential = v.InferOutput<typeof Credential>;

/** The first admin token's id. It is a secret of the deployment, not a row of a table. */
export const ADMIN_TOKEN_ID = 'LEASH_ADMIN_TOKEN';

const PARAMETER = 'credential';

/** How the Worker passes a credential to an object. */
export function credentialParameter(credential: Credential): Record<string, string> {
  return { [PARAMETER]: JSON.stringify(credential) };
}

export function readCredential(parameters: URLSearchParams): Credential {
  return v.parse(Credential, JSON.parse(parameters.get(PARAMETER) ?? ''));
}

/** What a socket was opened with: it says which token, session or secret the socket ends with. Hashes, never secrets. */
import * as v from 'valibot';

const Hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

const Credential = v.object({
  /** The token's id. */
  token: v.string(),
  secret: Hash,
  /** Of the page's session; null when the token itself was shown. */
  session: v.nullable(Hash),
});
export type Credential = v.InferOutput<typeof Credential>;

/** The first admin token's id: it is a secret of the deployment and in no table, valid as long as that secret stands. */
export const ADMIN_TOKEN_ID = 'LEASH_ADMIN_TOKEN';

const PARAMETER = 'credential';

/** Where the Worker tells an object of the credential. */
export function credentialParameter(credential: Credential): Record<string, string> {
  return { [PARAMETER]: JSON.stringify(credential) };
}

export function readCredential(parameters: URLSearchParams): Credential {
  return v.parse(Credential, JSON.parse(parameters.get(PARAMETER) ?? ''));
}

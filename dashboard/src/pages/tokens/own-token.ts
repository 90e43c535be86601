/**
 * Whether a token is the one that this session was opened with. The control plane doesn't say; but all tokens are in the
 * list, and what a session may do is what its token may. Pure.
 */
import type { Session, Token } from '#protocol/api';

export type Own = 'yes' | 'maybe' | 'no';

export function ownToken(session: Session, tokens: readonly Token[], token: Token): Own {
  if (!fits(session, token)) return 'no';
  const alike = tokens.filter((other) => fits(session, other)).length;
  return alike === 1 && !mayBeAdminSecret(session) ? 'yes' : 'maybe';
}

/** Probably opened with the deployment secret, which is not in the list of tokens. */
export function isAdminSecret(session: Session, tokens: readonly Token[]): boolean {
  return mayBeAdminSecret(session) && !tokens.some((token) => fits(session, token));
}

function mayBeAdminSecret({ name, scopes, jobs, expires_at }: Session): boolean {
  return name === 'admin' && scopes.join() === 'admin' && jobs === '*' && expires_at === null;
}

function fits(session: Session, { name, scopes, jobs, expires_at }: Token): boolean {
  return (
    session.name === name &&
    session.scopes.join() === scopes.join() &&
    session.jobs === jobs &&
    session.expires_at === expires_at
  );
}

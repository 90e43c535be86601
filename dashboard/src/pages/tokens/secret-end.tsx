/** What comes of the end of a secret, for those who are about to end it. */
import { isForWrappersOnly, type Token } from '#protocol/api';
import type { Own } from './own-token.ts';

/** What ends with a secret, by what the token may do. */
export function Ends({ token }: { readonly token: Token }) {
  const mayRun = token.scopes.some((scope) => scope === 'run' || scope === 'saltpeter' || scope === 'admin');
  const maySee = !isForWrappersOnly(token.scopes);
  return (
    <ul class="ends-with">
      {maySee && <li>Dashboard sessions opened with it end everywhere.</li>}
      {mayRun && (
        <li>
          Wrappers disconnect. Their jobs keep running but show as lost and can’t be stopped until a valid token is
          installed.
        </li>
      )}
      <li>Scripts and monitoring that use it are denied.</li>
    </ul>
  );
}

export function OwnWarning({ own, ends }: { readonly own: Own; readonly ends: 'now' | 'later' }) {
  if (own === 'no') return null;
  return (
    <p class="own-warning">
      <strong>{own === 'yes' ? 'You are signed in with this token.' : 'You may be signed in with this token.'}</strong>{' '}
      {own === 'yes' ? 'You' : 'If so, you'}{' '}
      {ends === 'now'
        ? 'will be signed out.'
        : 'will be signed out when the old secret expires: sign in with the new one before that.'}
    </p>
  );
}

/** What comes of the end of a secret, for those who are about to end it. */
import type { Token } from '#protocol/api';
import type { Own } from './own-token.ts';

/** What ends with a secret, by what the token may do. */
export function Ends({ token }: { readonly token: Token }) {
  const mayRun = token.scopes.some((scope) => scope === 'run' || scope === 'admin');
  const maySee = token.scopes.some((scope) => scope !== 'run');
  return (
    <ul class="ends-with">
      {maySee && <li>Sessions of this page that were opened with it end, wherever they are open.</li>}
      {mayRun && (
        <li>
          Wrappers lose their link. Their jobs run on, but count as lost, and can’t be stopped from here until a valid
          token is on the machine.
        </li>
      )}
      <li>Scripts and monitors that call with it are refused.</li>
    </ul>
  );
}

export function OwnWarning({ own, ends }: { readonly own: Own; readonly ends: 'now' | 'later' }) {
  if (own === 'no') return null;
  return (
    <p class="own-warning">
      <strong>
        {own === 'yes'
          ? 'This is the token that you are signed in with.'
          : 'You may be signed in with this very token.'}
      </strong>{' '}
      {own === 'yes' ? 'You' : 'If so, you'}{' '}
      {ends === 'now'
        ? 'are signed out by this.'
        : 'are signed out when the old secret ends: sign in with the new one before.'}
    </p>
  );
}

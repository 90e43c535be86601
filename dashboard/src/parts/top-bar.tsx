import { useState } from 'preact/hooks';
import type { Session } from '#protocol/api';
import { Link } from '../router.tsx';
import { signOut } from '../state/session.ts';
import { Mark } from './mark.tsx';

export function TopBar({ session }: { readonly session?: Session }) {
  const [failed, setFailed] = useState(false);
  const leave = async () => setFailed((await signOut()) !== null);
  return (
    <header class="top-bar">
      <Link to="/" class="brand">
        <Mark />
        Leash
      </Link>
      {session !== undefined && (
        <div class="who">
          <span class="who-name" title={`May: ${session.scopes.join(', ')}`}>
            {session.name}
          </span>
          <button type="button" class="button quiet" onClick={() => void leave()}>
            {failed ? 'Sign out (failed, try again)' : 'Sign out'}
          </button>
        </div>
      )}
    </header>
  );
}

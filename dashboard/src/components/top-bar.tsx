import './top-bar.css';
import { useState } from 'preact/hooks';
import type { Session } from '#protocol/api';
import { Link, type Route, route } from '../router.tsx';
import { mayAdminister, mayRead } from '../state/rights.ts';
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
      {session !== undefined && <Places session={session} />}
      {session !== undefined && (
        <div class="who">
          <span class="who-name" title={`Scopes: ${session.scopes.join(', ')}`}>
            {session.name}
          </span>
          <button type="button" class="button quiet" onClick={() => void leave()}>
            {failed ? 'Couldn’t sign out – retry' : 'Sign out'}
          </button>
        </div>
      )}
    </header>
  );
}

/** Where this session may go. */
function Places({ session }: { readonly session: Session }) {
  return (
    <nav class="places" aria-label="Pages">
      {mayRead(session) && (
        <>
          <Place to="/" of={['overview']}>
            Runs
          </Place>
          <Place to="/timeline" of={['timeline']}>
            Timeline
          </Place>
          <Place to="/kills" of={['kills', 'kill']}>
            Kills
          </Place>
        </>
      )}
      {mayAdminister(session) && (
        <>
          <Place to="/tokens" of={['tokens']}>
            Tokens
          </Place>
          <Place to="/audit" of={['audit']}>
            Audit
          </Place>
        </>
      )}
    </nav>
  );
}

interface PlaceProps {
  readonly to: string;
  /** The pages that belong to it. */
  readonly of: readonly Route['page'][];
  readonly children: string;
}

function Place({ to, of, children }: PlaceProps) {
  return (
    <Link to={to} class="place" current={of.includes(route.value.page)}>
      {children}
    </Link>
  );
}

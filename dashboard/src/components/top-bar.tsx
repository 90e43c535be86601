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
      {session !== undefined && <Navigation session={session} />}
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
function Navigation({ session }: { readonly session: Session }) {
  return (
    <nav class="nav-links" aria-label="Pages">
      {mayRead(session) && (
        <>
          <NavigationLink to="/" of={['overview']}>
            Runs
          </NavigationLink>
          <NavigationLink to="/timeline" of={['timeline']}>
            Timeline
          </NavigationLink>
          <NavigationLink to="/kills" of={['kills', 'kill']}>
            Kills
          </NavigationLink>
        </>
      )}
      {mayAdminister(session) && (
        <>
          <NavigationLink to="/alerts" of={['alerts']}>
            Alerts
          </NavigationLink>
          <NavigationLink to="/tokens" of={['tokens', 'addMachine']}>
            Tokens
          </NavigationLink>
          <NavigationLink to="/audit" of={['audit']}>
            Audit
          </NavigationLink>
        </>
      )}
    </nav>
  );
}

interface NavigationLinkProps {
  readonly to: string;
  /** The pages that belong to it. */
  readonly of: readonly Route['page'][];
  readonly children: string;
}

function NavigationLink({ to, of, children }: NavigationLinkProps) {
  return (
    <Link to={to} class="nav-link" current={of.includes(route.value.page)}>
      {children}
    </Link>
  );
}

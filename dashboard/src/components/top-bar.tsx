import './top-bar.css';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Session } from '#protocol/api';
import { useMedia } from '../hooks/use-media.ts';
import { Link, type Route, route } from '../router.tsx';
import { entry } from '../state/history-entry.ts';
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

interface NavigationPage {
  readonly to: string;
  readonly name: string;
  /** The pages that belong to it. */
  readonly of: readonly Route['page'][];
}

/** What is looked at every day, and so always in the bar. */
const DAILY: readonly NavigationPage[] = [
  { to: '/', name: 'Runs', of: ['overview'] },
  { to: '/last-night', name: 'Last night', of: ['lastNight'] },
  { to: '/timeline', name: 'Timeline', of: ['timeline'] },
  { to: '/kills', name: 'Kills', of: ['kills', 'kill'] },
];
const MACHINES: readonly NavigationPage[] = [{ to: '/machines', name: 'Machines', of: ['machines', 'machine'] }];
const FOR_ADMINS: readonly NavigationPage[] = [
  { to: '/alerts', name: 'Alerts', of: ['alerts'] },
  { to: '/tokens', name: 'Tokens', of: ['tokens', 'addMachine'] },
  { to: '/audit', name: 'Audit', of: ['audit'] },
];

/** As in the styles: all pages don't fit beside the name of the token. */
const ALL_FIT = '(min-width: 62rem)';

/** Where this session may go. */
function Navigation({ session }: { readonly session: Session }) {
  const doAllFit = useMedia(ALL_FIT);
  const daily = mayRead(session) ? DAILY : [];
  const others = [...(mayRead(session) ? MACHINES : []), ...(mayAdminister(session) ? FOR_ADMINS : [])];
  const shown = doAllFit || daily.length === 0 ? [...daily, ...others] : daily;
  return (
    <nav class="nav-links" aria-label="Pages">
      {shown.map((page) => (
        <NavigationLink key={page.to} {...page} />
      ))}
      {shown === daily && others.length > 0 && <More pages={others} />}
    </nav>
  );
}

function NavigationLink({ to, name, of }: NavigationPage) {
  return (
    <Link to={to} class="nav-link" current={of.includes(route.value.page)}>
      {name}
    </Link>
  );
}

/** The pages that the bar has no room for. */
function More({ pages }: { readonly pages: readonly NavigationPage[] }) {
  const menu = useRef<HTMLDetailsElement | null>(null);
  useEffect(() => {
    const close = () => {
      if (menu.current !== null) menu.current.open = false;
    };
    const closeOutside = ({ target }: Event) => {
      if (!(target instanceof Node && menu.current?.contains(target) === true)) close();
    };
    const closeByKey = (event: KeyboardEvent) => {
      if (event.key !== 'Escape' || menu.current?.open !== true) return;
      event.preventDefault();
      close();
      menu.current.querySelector('summary')?.focus();
    };
    addEventListener('pointerdown', closeOutside);
    addEventListener('focusin', closeOutside);
    addEventListener('keydown', closeByKey);
    return () => {
      removeEventListener('pointerdown', closeOutside);
      removeEventListener('focusin', closeOutside);
      removeEventListener('keydown', closeByKey);
    };
  }, []);
  const isCurrent = pages.some(({ of }) => of.includes(route.value.page));
  return (
    // A link leads to a new visit, which draws the bar again, closed.
    <details ref={menu} key={entry.value} class="nav-more">
      <summary class="nav-link" aria-current={isCurrent ? 'true' : undefined}>
        More
        <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true">
          <path d="m3 5.5 5 5 5-5" class="stroke" />
        </svg>
      </summary>
      <div class="nav-menu">
        {pages.map((page) => (
          <NavigationLink key={page.to} {...page} />
        ))}
      </div>
    </details>
  );
}

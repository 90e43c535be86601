/** Which page is shown, and to whom. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Session } from '#protocol/api';
import { HelpDialog } from './keyboard/help-dialog.tsx';
import { useShortcuts } from './keyboard/shortcuts.ts';
import { OverviewPage } from './pages/overview/overview-page.tsx';
import { SignInPage } from './pages/sign-in/sign-in-page.tsx';
import { Dock } from './parts/dock.tsx';
import { KillBar } from './parts/kill-bar.tsx';
import { lazyPage } from './parts/lazy-page.tsx';
import { Notice } from './parts/notice.tsx';
import { TopBar } from './parts/top-bar.tsx';
import { Link, navigate, route } from './router.tsx';
import { forgetCommands } from './state/commands.ts';
import { forgetFleet } from './state/fleet.ts';
import { forgetOrders } from './state/kill-orders.ts';
import { loadSession, session } from './state/session.ts';

const JobPage = lazyPage(async () => (await import('./pages/job/job-page.tsx')).JobPage);
const RunPage = lazyPage(async () => (await import('./pages/run/run-page.tsx')).RunPage);
const TimelinePage = lazyPage(async () => (await import('./pages/timeline/timeline-page.tsx')).TimelinePage);

export function App() {
  const state = session.value;
  const signedOut = state.kind === 'signed_out';
  useEffect(() => {
    if (!signedOut) return;
    forgetFleet();
    forgetCommands();
    forgetOrders();
  }, [signedOut]);

  switch (state.kind) {
    case 'asking':
      return <TopBar />;
    case 'unknown':
      return (
        <>
          <TopBar />
          <main class="page">
            <Notice
              tone="bad"
              title="The control plane did not answer"
              isPage
              action={{ label: 'Try again', run: loadSession }}
            >
              {state.failure.detail}
            </Notice>
          </main>
        </>
      );
    case 'signed_out':
      return <SignInPage notice={state.notice} />;
    case 'signed_in':
      return <SignedIn session={state.session} />;
  }
}

function SignedIn({ session: who }: { readonly session: Session }) {
  const helping = useSignal(false);
  useShortcuts([
    {
      key: '?',
      does: 'Show what keys do',
      run: () => {
        helping.value = true;
      },
    },
    { key: 'o', does: 'Overview: what runs', run: () => navigate('/') },
    { key: 't', does: 'Timeline', run: () => navigate('/timeline') },
    { key: 'c', does: 'Commands', run: () => navigate('/commands') },
  ]);
  return (
    <>
      <TopBar session={who} />
      <Page who={who} />
      <KillBar />
      <Dock />
      {helping.value && (
        <HelpDialog
          close={() => {
            helping.value = false;
          }}
        />
      )}
    </>
  );
}

function Page({ who }: { readonly who: Session }) {
  const current = route.value;
  switch (current.page) {
    case 'overview':
      return <OverviewPage who={who} />;
    case 'run':
      return <RunPage key={current.id} id={current.id} />;
    case 'timeline':
      return <TimelinePage who={who} />;
    case 'job':
      return <JobPage key={current.name} name={current.name} who={who} />;
    case 'commands':
    case 'command':
    case 'tokens':
    case 'audit':
    case 'unknown':
      return (
        <main class="page">
          <Notice tone="plain" title="There is nothing here" isPage>
            No page has the address <code>{location.pathname}</code>. <Link to="/">See what runs</Link>
          </Notice>
        </main>
      );
  }
}

/** Which page is shown, and to whom. */
import { useEffect } from 'preact/hooks';
import { OverviewPage } from './pages/overview/overview-page.tsx';
import { RunPage } from './pages/run/run-page.tsx';
import { SignInPage } from './pages/sign-in/sign-in-page.tsx';
import { Notice } from './parts/notice.tsx';
import { TopBar } from './parts/top-bar.tsx';
import { Link, route } from './router.tsx';
import { forgetFleet } from './state/fleet.ts';
import { loadSession, session } from './state/session.ts';

export function App() {
  const state = session.value;
  const signedOut = state.kind === 'signed_out';
  useEffect(() => {
    if (signedOut) forgetFleet();
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
      return (
        <>
          <TopBar session={state.session} />
          <Page />
        </>
      );
  }
}

function Page() {
  const current = route.value;
  switch (current.page) {
    case 'overview':
      return <OverviewPage />;
    case 'run':
      return <RunPage key={current.id} id={current.id} />;
    case 'unknown':
      return (
        <main class="page">
          <Notice tone="plain" title="There is nothing here">
            No page has the address <code>{current.path}</code>. <Link to="/">See what runs</Link>
          </Notice>
        </main>
      );
  }
}

/** Which page is shown, and to whom. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Session } from '#protocol/api';
import { Dock } from './components/dock.tsx';
import { KillBar } from './components/kill-bar.tsx';
import { lazyPage, loadPagesWhenIdle } from './components/lazy-page.tsx';
import { NotAllowed } from './components/not-allowed.tsx';
import { Notice } from './components/notice.tsx';
import { Overlay } from './components/overlay.tsx';
import { TopBar } from './components/top-bar.tsx';
import { HelpDialog } from './keyboard/help-dialog.tsx';
import { useShortcuts } from './keyboard/shortcuts.ts';
import { OverviewPage } from './pages/overview/overview-page.tsx';
import { SignInPage } from './pages/sign-in/sign-in-page.tsx';
import { Link, navigate, type Route, route } from './router.tsx';
import { forgetFleet } from './state/fleet.ts';
import { entry } from './state/history-entry.ts';
import { forgetOrders, rememberOrders } from './state/kill-orders.ts';
import { forgetKills } from './state/kills.ts';
import { mayAdminister, mayRead } from './state/rights.ts';
import { loadSession, session } from './state/session.ts';

const JobPage = lazyPage(async () => (await import('./pages/job/job-page.tsx')).JobPage);
const RunPage = lazyPage(async () => (await import('./pages/run/run-page.tsx')).RunPage);
const TimelinePage = lazyPage(async () => (await import('./pages/timeline/timeline-page.tsx')).TimelinePage);
const KillsPage = lazyPage(async () => (await import('./pages/kills/kills-page.tsx')).KillsPage);
const KillPage = lazyPage(async () => (await import('./pages/kills/kill-page.tsx')).KillPage);
const TokensPage = lazyPage(async () => (await import('./pages/tokens/tokens-page.tsx')).TokensPage);
const AuditPage = lazyPage(async () => (await import('./pages/audit/audit-page.tsx')).AuditPage);

export function App() {
  return (
    <>
      <Shown />
      <Overlay />
    </>
  );
}

function Shown() {
  const state = session.value;
  const signedOut = state.kind === 'signed_out';
  useEffect(() => {
    if (!signedOut) return;
    forgetFleet();
    forgetKills();
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
  useEffect(loadPagesWhenIdle, []);
  useEffect(() => rememberOrders(who), []);
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
    { key: 'c', does: 'Kills', run: () => navigate('/kills') },
  ]);
  return (
    <>
      <TopBar session={who} />
      {/* Each visit begins anew, with what is remembered of it. */}
      <Page key={entry.value} who={who} />
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
  if (needsRead(current.page) && !mayRead(who)) {
    return (
      <NotAllowed who={who} title="Nothing to see with this token">
        What runs, its output and what was ordered is for tokens that may <code>read</code>.
      </NotAllowed>
    );
  }
  switch (current.page) {
    case 'overview':
      return <OverviewPage who={who} />;
    case 'run':
      return <RunPage key={`${current.job}/${current.id}`} id={current.id} job={current.job} />;
    case 'timeline':
      return <TimelinePage />;
    case 'job':
      return <JobPage key={current.name} name={current.name} who={who} />;
    case 'kills':
      return <KillsPage />;
    case 'kill':
      return <KillPage key={current.id} id={current.id} who={who} />;
    case 'tokens':
      return mayAdminister(who) ? <TokensPage who={who} /> : <NoAdmin who={who} title="Tokens" />;
    case 'audit':
      return mayAdminister(who) ? <AuditPage /> : <NoAdmin who={who} title="Audit" />;
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

function NoAdmin({ who, title }: { readonly who: Session; readonly title: string }) {
  return (
    <NotAllowed who={who} title={title}>
      Tokens and the audit are looked after with a token that has the scope <code>admin</code> for all jobs. If you need
      a token, or want to know who did something, ask whoever has one.
    </NotAllowed>
  );
}

function needsRead(page: Route['page']): boolean {
  switch (page) {
    case 'overview':
    case 'timeline':
    case 'job':
    case 'run':
    case 'kills':
      return true;
    // Whoever may kill may ask what became of it.
    case 'kill':
    case 'tokens':
    case 'audit':
    case 'unknown':
      return false;
  }
}

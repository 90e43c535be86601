/** Which page is shown, and to whom. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Session } from '#protocol/api';
import { BrakeBar } from './components/brake-bar.tsx';
import { Dock } from './components/dock.tsx';
import { KillBar } from './components/lazy-kill-parts.tsx';
import { lazyPage, loadCodeWhenIdle } from './components/lazy-page.tsx';
import { NotAllowed } from './components/not-allowed.tsx';
import { Notice } from './components/notice.tsx';
import { Overlay } from './components/overlay.tsx';
import { TopBar } from './components/top-bar.tsx';
import { HelpDialog } from './keyboard/help-dialog.tsx';
import { useShortcuts } from './keyboard/shortcuts.ts';
import { OverviewPage } from './pages/overview/overview-page.tsx';
import { SignInPage } from './pages/sign-in/sign-in-page.tsx';
import { Link, navigate, type Route, route } from './router.tsx';
import { clearBrakes } from './state/brakes.ts';
import { clearFleet } from './state/fleet.ts';
import { entry } from './state/history-entry.ts';
import { clearPendingKills, restorePendingKills } from './state/pending-kills.ts';
import { mayAdminister, mayKill, mayRead } from './state/rights.ts';
import { loadSession, session } from './state/session.ts';

const JobPage = lazyPage(async () => (await import('./pages/job/job-page.tsx')).JobPage);
const LastNightPage = lazyPage(async () => (await import('./pages/last-night/last-night-page.tsx')).LastNightPage);
const MachinesPage = lazyPage(async () => (await import('./pages/machines/machines-page.tsx')).MachinesPage);
const MachinePage = lazyPage(async () => (await import('./pages/machines/machine-page.tsx')).MachinePage);
const RunPage = lazyPage(async () => (await import('./pages/run/run-page.tsx')).RunPage);
const TimelinePage = lazyPage(async () => (await import('./pages/timeline/timeline-page.tsx')).TimelinePage);
const KillsPage = lazyPage(async () => (await import('./pages/kills/kills-page.tsx')).KillsPage);
const KillPage = lazyPage(async () => (await import('./pages/kills/kill-page.tsx')).KillPage);
const AlertsPage = lazyPage(async () => (await import('./pages/alerts/alerts-page.tsx')).AlertsPage);
const TokensPage = lazyPage(async () => (await import('./pages/tokens/tokens-page.tsx')).TokensPage);
const AddMachinePage = lazyPage(async () => (await import('./pages/tokens/add-machine-page.tsx')).AddMachinePage);
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
    clearBrakes();
    clearFleet();
    clearPendingKills();
  }, [signedOut]);

  switch (state.kind) {
    case 'asking':
      return <TopBar />;
    case 'unknown':
      return (
        <>
          <TopBar />
          <main class="page">
            <Notice tone="bad" title="Can’t reach Leash" isPage action={{ label: 'Try again', run: loadSession }}>
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
  useEffect(loadCodeWhenIdle, []);
  useEffect(() => restorePendingKills(who), []);
  useShortcuts([
    {
      key: '?',
      does: 'Keyboard shortcuts',
      run: () => {
        helping.value = true;
      },
    },
    { key: 'r', does: 'Go to runs', run: () => navigate('/') },
    { key: 'l', does: 'Go to last night', run: () => navigate('/last-night') },
    { key: 't', does: 'Go to the timeline', run: () => navigate('/timeline') },
    { key: 'i', does: 'Go to kills', run: () => navigate('/kills') },
    { key: 'M', does: 'Go to machines', run: () => navigate('/machines') },
  ]);
  return (
    <>
      <TopBar session={who} />
      {(mayRead(who) || mayKill(who, who.jobs)) && <BrakeBar who={who} />}
      {/* A new visit mounts the page again, with the state kept for its history entry. */}
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
      <NotAllowed who={who} title="This token can’t view runs">
        Viewing runs, output and kills needs the <code>read</code> scope.
      </NotAllowed>
    );
  }
  switch (current.page) {
    case 'overview':
      return <OverviewPage who={who} />;
    case 'lastNight':
      return <LastNightPage />;
    case 'machines':
      return <MachinesPage />;
    case 'machine':
      return <MachinePage key={current.name} name={current.name} who={who} />;
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
    case 'alerts':
      return mayAdminister(who) ? <AlertsPage /> : <NoAdmin who={who} title="Alerts" />;
    case 'tokens':
      return mayAdminister(who) ? <TokensPage who={who} /> : <NoAdmin who={who} title="Tokens" />;
    case 'addMachine':
      return mayAdminister(who) ? <AddMachinePage /> : <NoAdmin who={who} title="Add a machine" />;
    case 'audit':
      return mayAdminister(who) ? <AuditPage /> : <NoAdmin who={who} title="Audit log" />;
    case 'unknown':
      return (
        <main class="page">
          <Notice tone="plain" title="Page not found" isPage>
            Nothing at <code>{location.pathname}</code>. <Link to="/">Go to runs</Link>
          </Notice>
        </main>
      );
  }
}

function NoAdmin({ who, title }: { readonly who: Session; readonly title: string }) {
  return (
    <NotAllowed who={who} title={title}>
      Managing alerts and tokens and viewing the audit log needs the <code>admin</code> scope for all jobs. Ask an
      administrator.
    </NotAllowed>
  );
}

function needsRead(page: Route['page']): boolean {
  switch (page) {
    case 'overview':
    case 'lastNight':
    case 'timeline':
    case 'job':
    case 'run':
    case 'machines':
    case 'machine':
    case 'kills':
      return true;
    // Whoever may kill may ask what became of it.
    case 'kill':
    case 'alerts':
    case 'tokens':
    case 'addMachine':
    case 'audit':
    case 'unknown':
      return false;
  }
}

import './style/tokens.css';
import './style/base.css';
import './style/components.css';
import './style/form.css';
import { render } from 'preact';
import { listenToCalls } from './api/http.ts';
import { App } from './app.tsx';
import { startShortcuts } from './keyboard/shortcuts.ts';
import { startRouter } from './router.tsx';
import { clockAnswered, startClock } from './state/clock.ts';
import { listenToOtherTabs } from './state/other-tabs.ts';
import { loadSession, recheckSession, sessionEnded } from './state/session.ts';
import { signInByLink } from './state/sign-in-link.ts';

listenToCalls({ answered: clockAnswered, signedOut: sessionEnded });
listenToOtherTabs(() => void recheckSession());
startClock();
startRouter();
startShortcuts();
// A sign-in link opened in a tab that shows the page already changes the fragment and nothing else.
addEventListener('hashchange', () => void signInByLink());
void signInByLink().then((tried) => {
  if (!tried) void loadSession();
});

const root = document.getElementById('app');
if (root !== null) render(<App />, root);

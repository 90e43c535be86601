import type { ComponentChildren } from 'preact';
import type { Session } from '#protocol/api';
import { usePageTitle } from '../hooks/page-title.ts';
import { signOut } from '../state/session.ts';
import { Notice } from './notice.tsx';

interface NotAllowedProps {
  readonly who: Session;
  /** What this would be. */
  readonly title: string;
  /** What it takes. */
  readonly children: ComponentChildren;
}

/** A page that this session may not see: no error, but something that another token is needed for. */
export function NotAllowed({ who, title, children }: NotAllowedProps) {
  usePageTitle(`${title} – Leash`);
  return (
    <main class="page">
      <div class="page-head">
        <h1>{title}</h1>
      </div>
      <Notice tone="plain" title="You don’t have access" action={{ label: 'Switch token', run: signOut }}>
        {children} You are signed in with the token “{who.name}” (scopes: <code>{who.scopes.join(', ')}</code>
        {who.jobs !== '*' && (
          <>
            ; jobs: <code>{who.jobs}</code>
          </>
        )}
        ).
      </Notice>
    </main>
  );
}

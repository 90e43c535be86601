/** Who may do what: tokens are made here, given new secrets, and taken back. */
import './tokens.css';
import { useSignal } from '@preact/signals';
import { useCallback, useRef } from 'preact/hooks';
import type { Session, Token } from '#protocol/api';
import { fetchTokens } from '../../api/calls.ts';
import type { Failure } from '../../api/failure.ts';
import { LinkBanner } from '../../components/link-status.tsx';
import { Notice } from '../../components/notice.tsx';
import { Rows } from '../../components/rows.tsx';
import { Ago, Clock } from '../../components/time.tsx';
import { TruncatedNotice } from '../../components/truncated-notice.tsx';
import { usePageTitle } from '../../hooks/page-title.ts';
import { useFocusFallback } from '../../keyboard/focus-fallback.ts';
import { useShortcuts } from '../../keyboard/shortcuts.ts';
import { Link, query, setFilter } from '../../router.tsx';
import { now, serverNow } from '../../state/clock.ts';
import { syncStatus, useFleet } from '../../state/fleet.ts';
import { useReload } from '../../state/use-reload.ts';
import { CreateDialog } from './create-dialog.tsx';
import { DeleteDialog, LastUse } from './delete-dialog.tsx';
import { isExpired } from './expiry.ts';
import { isAdminSecret, ownToken } from './own-token.ts';
import { RotateDialog } from './rotate-dialog.tsx';
import { SCOPE_MEANINGS } from './scope-labels.ts';
import { showSecret } from './secret-dialog.tsx';

const ROW_PX = 72;

type Doing =
  | { readonly kind: 'create' }
  | { readonly kind: 'rotate'; readonly token: Token }
  | { readonly kind: 'delete'; readonly token: Token };

interface ReadTokens {
  /** Newest first. */
  readonly tokens: readonly Token[];
  readonly isCut: boolean;
  readonly at: number;
}

export function TokensPage({ who }: { readonly who: Session }) {
  // Nothing of a token is pushed; but by the end of the link the page hears of the end of its own.
  useFleet();
  usePageTitle('Tokens – Leash');
  const list = useSignal<ReadTokens | null>(null);
  const failure = useSignal<Failure | null>(null);
  const doing = useSignal<Doing | null>(null);
  const heading = useRef<HTMLHeadingElement | null>(null);
  useFocusFallback(heading);
  const read = useCallback(async () => {
    const at = serverNow();
    const answer = await fetchTokens();
    if (answer.ok) list.value = { tokens: [...answer.value.items].reverse(), isCut: answer.value.isTruncated, at };
    failure.value = answer.ok ? null : answer.failure;
  }, []);
  useReload(read);
  const create = () => {
    doing.value = { kind: 'create' };
  };
  useShortcuts([{ key: 'n', does: 'Create token', run: create }]);
  const done = () => {
    doing.value = null;
    void read();
  };
  return (
    <main class="page tokens" aria-busy={list.value === null && failure.value === null}>
      <div class="page-head">
        <h1 ref={heading} tabIndex={-1}>
          Tokens
        </h1>
        <div class="head-actions">
          <Link to="/add-machine" class="button primary">
            Add a machine
          </Link>
          <button type="button" class="button" onClick={create}>
            Create token
          </button>
        </div>
      </div>
      {failure.value !== null && (
        <Notice tone="bad" title="Couldn’t load tokens" action={{ label: 'Try again', run: read }}>
          {failure.value.detail}
        </Notice>
      )}
      {list.value === null && failure.value === null && (
        <p class="nothing" role="status">
          Loading tokens…
        </p>
      )}
      {list.value?.isCut === true && (
        <TruncatedNotice one="token" which="the oldest">
          Delete unused tokens to see the rest.
        </TruncatedNotice>
      )}
      {list.value !== null && (
        <TokenList
          list={list.value}
          who={who}
          read={read}
          act={(what) => {
            doing.value = what;
          }}
        />
      )}
      {doing.value !== null && (
        <Dialogs
          doing={doing.value}
          who={who}
          tokens={list.value?.tokens ?? []}
          close={() => {
            doing.value = null;
          }}
          done={done}
        />
      )}
      <LinkBanner status={syncStatus.value} />
    </main>
  );
}

interface DialogsProps {
  readonly doing: Doing;
  readonly who: Session;
  readonly tokens: readonly Token[];
  close(): void;
  done(): void;
}

function Dialogs({ doing, who, tokens, close, done }: DialogsProps) {
  switch (doing.kind) {
    case 'create':
      return (
        <CreateDialog
          close={close}
          made={(made) => {
            done();
            showSecret(made, 'made');
          }}
        />
      );
    case 'rotate':
      return (
        <RotateDialog
          token={doing.token}
          own={ownToken(who, tokens, doing.token)}
          close={close}
          rotated={(made) => {
            done();
            showSecret(made, 'rotated');
          }}
        />
      );
    case 'delete':
      return <DeleteDialog token={doing.token} own={ownToken(who, tokens, doing.token)} close={close} deleted={done} />;
  }
}

interface TokenListProps {
  readonly list: ReadTokens;
  readonly who: Session;
  read(): Promise<void>;
  act(what: Doing): void;
}

function TokenList({ list: { tokens, at }, who, read, act }: TokenListProps) {
  const typed = query.value.get('q') ?? '';
  const shown = tokens.filter((token) => isFound(token, typed));
  const field = useRef<HTMLInputElement | null>(null);
  useShortcuts([{ key: '/', does: 'Filter', run: () => field.current?.select() }]);
  return (
    <>
      <search class="filters">
        <input
          ref={field}
          type="search"
          aria-label="Filter by name, scope, job or machine"
          placeholder="Filter by name, scope, job or machine"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          value={typed}
          onInput={(event) => setFilter({ q: event.currentTarget.value })}
        />
        <div class="as-of">
          <p>
            As of <Clock at={new Date(at).toISOString()} />
          </p>
          <button type="button" class="button quiet" onClick={() => void read()}>
            Refresh
          </button>
        </div>
      </search>
      {isAdminSecret(who, tokens) && (
        <p class="help own-secret">
          You’re using <code>LEASH_ADMIN_TOKEN</code>, the deployment secret. Create a personal token for daily use: it
          can be rotated, revoked and identified in the audit log.
        </p>
      )}
      {shown.length > 0 && (
        <Rows items={shown} keyOf={({ id }) => id} estimatePx={ROW_PX} label="Tokens, newest first">
          {(token) => <TokenRow token={token} isOwn={ownToken(who, tokens, token) === 'yes'} act={act} />}
        </Rows>
      )}
      {tokens.length === 0 && (
        <p class="nothing" role="status">
          No tokens yet. Create one for each machine and each person, with only the scopes they need.
        </p>
      )}
      {tokens.length > 0 && shown.length === 0 && (
        <p class="nothing" role="status">
          No tokens match.{' '}
          <button type="button" class="button quiet" onClick={() => setFilter({ q: null })}>
            Clear filter
          </button>
        </p>
      )}
    </>
  );
}

function isFound({ name, scopes, jobs, machines }: Token, typed: string): boolean {
  const text = [name, ...scopes, jobs, machines].join(' ').toLowerCase();
  return typed
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

interface TokenRowProps {
  readonly token: Token;
  readonly isOwn: boolean;
  act(what: Doing): void;
}

function TokenRow({ token, isOwn, act }: TokenRowProps) {
  const isOver = isExpired(token, now.value);
  return (
    <article class="row text token" data-token={token.id} data-expired={isOver}>
      <div class="token-name cell-lines">
        <strong>{token.name}</strong>
        {isOwn && <span class="aside">current session</span>}
        {isOver && <span class="badge">expired</span>}
      </div>
      <div class="token-scopes cell-lines">
        <span class="scope-list">
          {token.scopes.map((scope) => (
            <code key={scope} title={SCOPE_MEANINGS[scope]}>
              {scope}
            </code>
          ))}
        </span>
        <span class="aside">
          {token.jobs === '*' ? 'all jobs' : <>jobs {token.jobs}</>}
          {token.machines !== '*' && <>, on {token.machines}</>}
        </span>
      </div>
      <dl class="token-times">
        <div>
          <dt>Created</dt>
          <dd>
            <Ago at={token.created_at} />
          </dd>
        </div>
        <div>
          <dt>Last used</dt>
          <dd>{token.last_used_at === null ? 'never' : <LastUse at={token.last_used_at} />}</dd>
        </div>
        <div>
          <dt>{isOver ? 'Expired' : 'Expires'}</dt>
          <dd>{token.expires_at === null ? 'never' : <Clock at={token.expires_at} />}</dd>
        </div>
      </dl>
      <div class="row-actions">
        <Link to={`/audit?actor=${token.id}`} label={`Activity of ${token.name}`} cursor>
          Activity
        </Link>
        {!isOver && (
          <button
            type="button"
            class="button quiet"
            aria-label={`Rotate ${token.name}`}
            onClick={() => act({ kind: 'rotate', token })}
          >
            Rotate
          </button>
        )}
        <button
          type="button"
          class="button quiet delete"
          aria-label={`Delete ${token.name}`}
          onClick={() => act({ kind: 'delete', token })}
        >
          Delete
        </button>
      </div>
    </article>
  );
}

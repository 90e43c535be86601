/** Pages, and parts of pages, whose code is loaded apart: the first view stays small. */
import { type Signal, signal, useSignal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { RECONNECT_CAP_MS } from '#protocol/limits';
import { backoffMs } from '#shared/backoff';
import { FIRST_PAUSE_MS } from '../api/watch-socket.ts';
import { syncStatus, useFleet } from '../state/fleet.ts';
import { mayRead } from '../state/rights.ts';
import { session } from '../state/session.ts';
import { LinkBanner } from './link-status.tsx';
import { Notice } from './notice.tsx';

type Loading<Props> =
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready'; readonly Page: ComponentType<Props> }
  /** The control plane does not answer: it is tried again. */
  | { readonly kind: 'cut_off' }
  /** It answers, and yet the code can't be had. */
  | { readonly kind: 'gone' };

const ANSWER_MS = 5_000;
/** So long after the page was opened it goes without saying that the control plane answers. */
const FRESH_MS = 5_000;

/** What loads the code of each page that may be opened next, and of each part. */
const pageLoaders: (() => Promise<void>)[] = [];
const partLoaders: (() => Promise<void>)[] = [];

/** What the page was opened for comes first, with all that it asks for. */
const FIRST_VIEW_MS = 5_000;

/** Loads code when the browser has nothing better to do, so that an outage finds it there: first what may be clicked now. */
export function loadCodeWhenIdle(): void {
  whenIdle(partLoaders);
  setTimeout(() => whenIdle(pageLoaders), FIRST_VIEW_MS);
}

function whenIdle(loaders: typeof pageLoaders): void {
  const loadAll = async () => {
    for (const load of loaders) await load();
  };
  // Safari has no such call.
  if (typeof requestIdleCallback === 'function') requestIdleCallback(() => void loadAll());
  else setTimeout(() => void loadAll());
}

/** @param load brings the page's code; asked again when it failed, never after it has succeeded */
export function lazyPage<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  const loading: Signal<Loading<Props>> = signal({ kind: 'loading' });
  let isAsking = false;
  const ask = async () => {
    if (isAsking || loading.peek().kind === 'ready') return;
    isAsking = true;
    loading.value = await attempt(load, loading.peek().kind !== 'loading' || performance.now() > FRESH_MS);
    isAsking = false;
  };
  pageLoaders.push(ask);
  return function LazyPage(props: Props) {
    useEffect(() => void ask(), []);
    const state = loading.value;
    switch (state.kind) {
      case 'loading':
        return (
          <main class="page" aria-busy="true">
            <Followed />
          </main>
        );
      case 'ready':
        return <state.Page {...props} />;
      case 'cut_off':
        return <CutOff ask={ask} />;
      case 'gone':
        return (
          <main class="page">
            <Notice tone="bad" title="Reload needed" isPage action={{ label: 'Reload', run: () => location.reload() }}>
              Leash was updated, or part of this page failed to load. Reload to continue.
            </Notice>
            <Followed />
          </main>
        );
    }
  };
}

export interface WaitingProps {
  readonly state: Exclude<Loading<object>['kind'], 'ready'>;
}

/**
 * A part of a page that isn't there at first, and whose code is loaded apart.
 *
 * @param Waiting stands in its place until its code is there
 */
export function lazyPart<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
  Waiting: ComponentType<Props & WaitingProps> = () => null,
): ComponentType<Props> {
  const loading: Signal<Loading<Props>> = signal({ kind: 'loading' });
  const ask = async () => {
    if (loading.peek().kind !== 'ready') loading.value = await attempt(load, performance.now() > FRESH_MS);
  };
  partLoaders.push(ask);
  return function LazyPart(props: Props) {
    useEffect(() => void ask(), []);
    const state = loading.value;
    if (state.kind === 'ready') return <state.Page {...props} />;
    return (
      <>
        <Waiting {...props} state={state.kind} />
        {state.kind === 'cut_off' && <Retry ask={ask} />}
      </>
    );
  };
}

/**
 * Chromium keeps the failure of an import for as long as the page is open, so nothing is imported before the control plane
 * is known to answer.
 *
 * @param isDoubtful whether that is to be asked first
 */
async function attempt<Props>(load: () => Promise<ComponentType<Props>>, isDoubtful: boolean): Promise<Loading<Props>> {
  if (isDoubtful && !(await answers())) return { kind: 'cut_off' };
  try {
    return { kind: 'ready', Page: await load() };
  } catch {
    return (await answers()) ? { kind: 'gone' } : { kind: 'cut_off' };
  }
}

/** Whether the page itself could be loaded. */
async function answers(): Promise<boolean> {
  try {
    const answer = await fetch('/', { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_MS) });
    return answer.ok;
  } catch {
    return false;
  }
}

interface RetryProps {
  ask(): Promise<void>;
}

/** Asks again and again, and at once when there is reason to hope. */
function Retry({ ask }: RetryProps) {
  useEffect(() => {
    let failures = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    const wait = () => {
      const pauseMs = backoffMs(failures, FIRST_PAUSE_MS, RECONNECT_CAP_MS);
      failures += 1;
      timer = setTimeout(() => void ask().then(() => isOver || wait()), pauseMs);
    };
    const now = () => {
      if (document.visibilityState === 'visible') void ask();
    };
    wait();
    addEventListener('online', now);
    document.addEventListener('visibilitychange', now);
    return () => {
      isOver = true;
      clearTimeout(timer);
      removeEventListener('online', now);
      document.removeEventListener('visibilitychange', now);
    };
  }, []);
  return null;
}

function CutOff({ ask }: RetryProps) {
  const isBusy = useSignal(false);
  const again = async () => {
    isBusy.value = true;
    await ask();
    isBusy.value = false;
  };
  return (
    <main class="page">
      <Notice
        tone="warn"
        title="Waiting for connection"
        isPage
        action={{ label: isBusy.value ? 'Trying…' : 'Try again', run: again }}
      >
        Leash isn’t answering. Retrying every few seconds; pages you already opened still work.
      </Notice>
      <Retry ask={ask} />
      <Followed />
    </main>
  );
}

/** Shows the sync status here as on every page. */
function Followed() {
  const state = session.value;
  return state.kind === 'signed_in' && mayRead(state.session) ? <FollowedFleet /> : null;
}

function FollowedFleet() {
  useFleet();
  return <LinkBanner status={syncStatus.value} />;
}

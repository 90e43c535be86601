/** The view and its filters, as in the address bar: the path is the view, the query its filters. */
import { batch, computed, signal } from '@preact/signals';
import type { ComponentChildren, TargetedMouseEvent } from 'preact';
import { pageAt } from '#protocol/page-paths';
import { rememberEntry, showEntry, startEntries } from './state/history-entry.ts';
import type { RunName } from './state/run-ref.ts';

export type Route =
  | { readonly page: 'overview' }
  | { readonly page: 'lastNight' }
  | { readonly page: 'timeline' }
  | { readonly page: 'job'; readonly name: string }
  /** @property job null: of whichever job has a run with this id, if only one has */
  | { readonly page: 'run'; readonly id: string; readonly job: string | null }
  | { readonly page: 'machines' }
  | { readonly page: 'machine'; readonly name: string }
  | { readonly page: 'kills' }
  | { readonly page: 'kill'; readonly id: string }
  | { readonly page: 'alerts' }
  | { readonly page: 'tokens' }
  | { readonly page: 'addMachine' }
  | { readonly page: 'audit' }
  | { readonly page: 'unknown' };

/** @param search the query, with its question mark; or empty */
export function routeOf(path: string, search: string): Route {
  const address = pageAt(path);
  if (address === null) return { page: 'unknown' };
  const { page, name } = address;
  switch (page) {
    case 'overview':
    case 'lastNight':
    case 'timeline':
    case 'machines':
    case 'kills':
    case 'alerts':
    case 'tokens':
    case 'addMachine':
    case 'audit':
      return { page };
    case 'job':
    case 'machine':
      return { page, name: name ?? '' };
    case 'run':
      return { page, id: name ?? '', job: new URLSearchParams(search).get('job') || null };
    case 'kill':
      return { page, id: name ?? '' };
  }
}

export function jobPath(name: string): string {
  return `/jobs/${name}`;
}

export function machinePath(name: string): string {
  return `/machines/${name}`;
}

/** Always with its job: another one may have reported a run with the same id. */
export function runPath({ id, job }: RunName): string {
  return `/runs/${id}?${new URLSearchParams({ job })}`;
}

/** All kills of one batch. */
export function batchPath(batch: string): string {
  return `/kills?${new URLSearchParams({ batch })}`;
}

export function killPath(id: string): string {
  return `/kills/${id}`;
}

interface Place {
  readonly path: string;
  /** With its question mark, or empty. */
  readonly search: string;
}

const place = signal<Place>({ path: '/', search: '' });

export const route = computed(() => routeOf(place.value.path, place.value.search));

/** The view's filters. */
export const query = computed(() => new URLSearchParams(place.value.search));

export function startRouter(): void {
  const update = () => {
    place.value = { path: location.pathname, search: location.search };
  };
  startEntries();
  addEventListener('popstate', () =>
    batch(() => {
      rememberEntry();
      scrollTo(0, 0);
      showEntry();
      update();
    }),
  );
  update();
}

/** Goes to another page. The way back leads to where the reader is now. */
export function navigate(to: string): void {
  const url = new URL(to, location.href);
  batch(() => {
    if (url.pathname + url.search !== location.pathname + location.search) {
      rememberEntry();
      history.pushState(null, '', url);
      showEntry();
    }
    place.value = { path: url.pathname, search: url.search };
  });
  scrollTo(0, 0);
}

/**
 * Narrows the page otherwise: `null` takes a parameter away. The address follows, so that it can be passed on; the way
 * back doesn't lead through each letter that was typed.
 */
export function setFilter(changes: Readonly<Record<string, string | null>>): void {
  const next = new URLSearchParams(place.peek().search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') next.delete(name);
    else next.set(name, value);
  }
  const search = next.size === 0 ? '' : `?${next}`;
  if (search === place.peek().search) return;
  history.replaceState(history.state, '', location.pathname + search);
  place.value = { path: place.peek().path, search };
}

interface LinkProps {
  readonly to: string;
  readonly class?: string;
  readonly label?: string;
  readonly title?: string;
  readonly current?: boolean;
  /** Whether `j` and `k` stop here. */
  readonly cursor?: boolean;
  readonly children: ComponentChildren;
}

/** A link within the page. A click that asks for a new tab or a download is left to the browser. */
export function Link({ to, class: className, label, title, current, cursor, children }: LinkProps) {
  const follow = (event: TargetedMouseEvent<HTMLAnchorElement>) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
  };
  return (
    <a
      href={to}
      class={className}
      aria-label={label}
      title={title}
      aria-current={current === true ? 'page' : undefined}
      data-cursor={cursor}
      onClick={follow}
    >
      {children}
    </a>
  );
}

/** Where the reader is, by the address bar. */
import { signal } from '@preact/signals';
import type { ComponentChildren, TargetedMouseEvent } from 'preact';

export type Route =
  | { readonly page: 'overview' }
  | { readonly page: 'run'; readonly id: string }
  | { readonly page: 'unknown'; readonly path: string };

export function routeOf(path: string): Route {
  if (path === '/' || path === '') return { page: 'overview' };
  const run = /^\/runs\/([0-9A-Za-z]+)\/?$/.exec(path);
  if (run?.[1] !== undefined) return { page: 'run', id: run[1] };
  return { page: 'unknown', path };
}

export const route = signal<Route>({ page: 'overview' });

export function startRouter(): void {
  const update = () => {
    route.value = routeOf(location.pathname);
  };
  addEventListener('popstate', update);
  update();
}

export function navigate(path: string): void {
  if (path !== location.pathname) history.pushState(null, '', path);
  route.value = routeOf(path);
  scrollTo(0, 0);
}

interface LinkProps {
  readonly to: string;
  readonly class?: string;
  readonly label?: string;
  readonly children: ComponentChildren;
}

/** A link within the page. A click that asks for a new tab or a download is left to the browser. */
export function Link({ to, class: className, label, children }: LinkProps) {
  const follow = (event: TargetedMouseEvent<HTMLAnchorElement>) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
  };
  return (
    <a href={to} class={className} aria-label={label} onClick={follow}>
      {children}
    </a>
  );
}

/** Pages whose code is loaded when they are first opened: the first view stays small. */
import { type Signal, signal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { Notice } from './notice.tsx';

type Loading<Props> =
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready'; readonly Page: ComponentType<Props> }
  | { readonly kind: 'failed' };

/** @param load brings the page's code; asked again when the page is opened anew after it failed, never after it has succeeded */
export function lazyPage<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  const loading: Signal<Loading<Props>> = signal({ kind: 'loading' });
  let asked = false;
  const ask = () => {
    asked = true;
    loading.value = { kind: 'loading' };
    load().then(
      (Page) => {
        loading.value = { kind: 'ready', Page };
      },
      // The network is down, or a deploy has replaced the files that this page was made of.
      () => {
        asked = false;
        loading.value = { kind: 'failed' };
      },
    );
  };
  return function LazyPage(props: Props) {
    useEffect(() => {
      if (!asked) ask();
    }, []);
    const state = loading.value;
    switch (state.kind) {
      case 'loading':
        return <main class="page" aria-busy="true" />;
      case 'ready':
        return <state.Page {...props} />;
      case 'failed':
        return (
          <main class="page">
            <Notice
              tone="bad"
              title="This part of the page could not be loaded"
              isPage
              action={{ label: 'Reload the page', run: () => location.reload() }}
            >
              The network is down, or Leash has been updated since this page was opened.
            </Notice>
          </main>
        );
    }
  };
}

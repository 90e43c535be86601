import './notice.css';
import type { ComponentChildren } from 'preact';

interface NoticeProps {
  readonly tone: 'plain' | 'bad' | 'warn';
  readonly title: string;
  /** Whether it is all that the page has to say. */
  readonly isPage?: boolean;
  readonly action?: { readonly label: string; run(): unknown };
  readonly children: ComponentChildren;
}

/** Something the reader has to know, and what can be done about it. */
export function Notice({ tone, title, isPage = false, action, children }: NoticeProps) {
  return (
    <section class={`notice ${tone}`} role={tone === 'plain' ? undefined : 'alert'}>
      {isPage ? <h1>{title}</h1> : <strong>{title}</strong>}
      <div>{children}</div>
      {action !== undefined && (
        <button type="button" class="button" onClick={() => void action.run()}>
          {action.label}
        </button>
      )}
    </section>
  );
}

import './dialog.css';
import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';

interface DialogProps {
  readonly title: string;
  readonly class?: string;
  close(): void;
  readonly children: ComponentChildren;
}

/**
 * A question or a text over the page, which stands still behind it. The browser keeps the focus inside and closes it
 * on Escape.
 */
export function Dialog({ title, class: className = '', close, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement | null>(null);
  const heading = useId();
  // Before the next key can be heard: it would still be one for the page below.
  useLayoutEffect(() => {
    const element = dialog.current;
    if (element === null) return;
    element.showModal();
    // The browser gives the focus back from a dialog that is closed, not from one that is taken away.
    return () => element.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      class={`dialog ${className}`}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
    >
      <div class="dialog-body">
        <h2 id={heading}>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

/** One that is read, and closed: it asks nothing. */
export function ReadingDialog({ children, ...dialog }: DialogProps) {
  return (
    <Dialog {...dialog}>
      {children}
      <div class="dialog-actions">
        <button type="button" class="button" onClick={dialog.close}>
          Close
        </button>
      </div>
    </Dialog>
  );
}

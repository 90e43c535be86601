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
    element.querySelector<HTMLElement>('[data-initial-focus=true]')?.focus();
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

interface DialogActionsProps {
  /** What the way out is called. */
  readonly label?: string;
  /** Whether the focus starts at the way out: what can't be undone is not what Enter does unread. */
  readonly isCareful?: boolean;
  close(): void;
  /** What the dialog is for, before the way out. */
  readonly children?: ComponentChildren;
}

export function DialogActions({ label = 'Cancel', isCareful = false, close, children }: DialogActionsProps) {
  return (
    <div class="dialog-actions">
      {children}
      <button type="button" data-initial-focus={isCareful} class="button" onClick={close}>
        {label}
      </button>
    </div>
  );
}

/** One that is read, and closed: it asks nothing. */
export function ReadingDialog({ children, ...dialog }: DialogProps) {
  return (
    <Dialog {...dialog}>
      {children}
      <DialogActions label="Close" close={dialog.close} />
    </Dialog>
  );
}

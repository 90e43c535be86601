import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

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
  useEffect(() => {
    const element = dialog.current;
    if (element === null) return;
    const opener = document.activeElement;
    element.showModal();
    return () => {
      // The browser gives the focus back from a dialog that is closed, not from one that is taken away.
      if (opener instanceof HTMLElement && document.activeElement === document.body) opener.focus();
    };
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

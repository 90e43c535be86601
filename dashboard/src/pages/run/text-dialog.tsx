/** What is loaded of a run's output, as text: to be selected by touch, and read by a screen reader. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import { ReadingDialog } from '../../components/dialog.tsx';

export interface TextDialogProps {
  /** Before and from the line on that the reader had before them. */
  readonly text: readonly [before: string, after: string];
  /** Which part of the log it is. */
  readonly part: string;
  close(): void;
}

/** It doesn't follow new output: a selection must not move. */
export function TextDialog({ text: [before, after], part, close }: TextDialogProps) {
  const place = useRef<HTMLSpanElement>(null);
  useLayoutEffect(() => place.current?.scrollIntoView({ block: 'start' }), []);
  return (
    <ReadingDialog title="Output as text" class="text-dialog" close={close}>
      <p class="aside">{part}. Snapshot – new output isn’t added.</p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must do so by keyboard */}
      <pre tabIndex={0} data-text>
        {before}
        <span ref={place} />
        {after}
      </pre>
    </ReadingDialog>
  );
}

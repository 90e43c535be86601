import { useLayoutEffect, useRef, useState } from 'preact/hooks';

/** The command line. Of a long one the first lines, faded at the end. */
export function RunCommand({ command }: { readonly command: string }) {
  const code = useRef<HTMLElement>(null);
  const [isLong, setIsLong] = useState(false);
  const [isOpen, setIsOpen] = useState(false);
  useLayoutEffect(() => {
    const { current } = code;
    // Open it is as high as it wants to be: nothing is learned from it.
    if (current === null || isOpen) return;
    const observer = new ResizeObserver(() => setIsLong(current.scrollHeight > current.clientHeight + 1));
    observer.observe(current);
    return () => observer.disconnect();
  }, [isOpen]);
  return (
    <div>
      <code ref={code} class="run-command" data-open={isOpen} data-cut={isLong && !isOpen}>
        {command}
      </code>
      {isLong && (
        <button type="button" class="button quiet" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
          {isOpen ? 'Show less of the command' : 'Show full command'}
        </button>
      )}
    </div>
  );
}

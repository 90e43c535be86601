import { useState } from 'preact/hooks';

const SHOWN_MS = 2_000;

interface CopyButtonProps {
  /** What to copy; a function, when it is much and changes. */
  readonly text: string | (() => string);
  readonly label: string;
  /** It has been copied, and, a moment later, that has been said long enough. */
  told?(isCopied: boolean): void;
}

export function CopyButton({ text, label, told }: CopyButtonProps) {
  const [done, setDone] = useState<'copied' | 'failed' | null>(null);
  const copy = async () => {
    const outcome = await copyText(typeof text === 'string' ? text : text());
    setDone(outcome);
    told?.(outcome === 'copied');
    setTimeout(() => {
      setDone(null);
      told?.(false);
    }, SHOWN_MS);
  };
  return (
    <button type="button" class="button quiet copy" aria-label={label} onClick={() => void copy()}>
      {done === null ? 'Copy' : done === 'copied' ? 'Copied' : 'Copy failed'}
    </button>
  );
}

async function copyText(text: string): Promise<'copied' | 'failed'> {
  try {
    await navigator.clipboard.writeText(text);
    return 'copied';
  } catch {
    // Not allowed here, or no secure context: selecting by hand still works.
    return 'failed';
  }
}

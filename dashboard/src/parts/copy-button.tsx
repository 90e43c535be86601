import { useState } from 'preact/hooks';

const SHOWN_MS = 2_000;

export function CopyButton({ text, label }: { readonly text: string; readonly label: string }) {
  const [done, setDone] = useState<'copied' | 'failed' | null>(null);
  const copy = async () => {
    setDone(await copyText(text));
    setTimeout(() => setDone(null), SHOWN_MS);
  };
  return (
    <button type="button" class="button quiet copy" aria-label={label} onClick={() => void copy()}>
      {done === null ? 'Copy' : done === 'copied' ? 'Copied' : 'Select it'}
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

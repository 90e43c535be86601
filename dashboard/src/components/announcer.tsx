import { useEffect, useRef, useState } from 'preact/hooks';

/** Says a change aloud to those who don't see it; silent about how things were when the page came up. */
export function Announcer({ text }: { readonly text: string | null }) {
  const [said, setSaid] = useState('');
  const before = useRef<string | null>(null);
  useEffect(() => {
    if (before.current !== null && text !== null && text !== before.current) setSaid(text);
    if (text !== null) before.current = text;
  }, [text]);
  return (
    <p class="visually-hidden" aria-live="polite">
      {said}
    </p>
  );
}

/** The last lines that a run has printed. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { fetchOutputTail } from '../../api/calls.ts';
import { lastLines } from '../../output/last-lines.ts';
import type { RunName } from '../../state/run-ref.ts';

const SEARCHED_BYTES = 16 * 1024;
const SHOWN_LINES = 20;

const TEXTS = {
  asking: 'Loading output…',
  none: 'No output.',
  failed: 'Couldn’t load the output; open the run to see it.',
} as const;

export function OutputTail({ run: { id, job } }: { readonly run: RunName }) {
  const [lines, setLines] = useState<readonly string[] | keyof typeof TEXTS>('asking');
  const box = useRef<HTMLElement | null>(null);
  useEffect(() => {
    let isGone = false;
    void fetchOutputTail({ id, job }, null, SEARCHED_BYTES).then((answer) => {
      if (isGone) return;
      if (!answer.ok) return setLines('failed');
      const found = lastLines(answer.value, SHOWN_LINES);
      setLines(found.length === 0 ? 'none' : found);
    });
    return () => {
      isGone = true;
    };
  }, [id, job]);
  useLayoutEffect(() => {
    if (box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must do so by keyboard
    <section ref={box} class="output-tail" aria-label={`Last lines of ${job}`} tabIndex={0}>
      {typeof lines === 'object' ? <pre>{lines.join('\n')}</pre> : <p class="aside">{TEXTS[lines]}</p>}
    </section>
  );
}

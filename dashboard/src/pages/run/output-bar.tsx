/** The whole output as a slider: what is loaded, what is missing, where the reader is, and the way to any offset. */

import type { Signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { formatBytes } from '#shared/format-bytes';
import type { Gap } from '../../api/calls.ts';
import { keyStep } from './output-positions.ts';

/** A held key keeps moving; positions passed on the way are not loaded. */
const REST_MS = 200;

interface OutputBarProps {
  readonly total: number;
  readonly loaded: { readonly start: number; readonly next: number };
  readonly gaps: readonly Gap[];
  /** Where the reader is. */
  readonly offset: number;
  /** The offset that the reader is about to go to; null if none. */
  readonly aim: Signal<number | null>;
  go(offset: number): void;
}

export function OutputBar({ total, loaded, gaps, offset, aim, go }: OutputBarProps) {
  const resting = useRef<ReturnType<typeof setTimeout>>(undefined);
  const value = Math.min(aim.value ?? offset, total);
  const land = () => {
    clearTimeout(resting.current);
    const offset = aim.value;
    aim.value = null;
    if (offset !== null) go(offset);
  };
  useEffect(() => () => clearTimeout(resting.current), []);
  const onKeyDown = (event: KeyboardEvent) => {
    const next = keyStep(event, value, total, gaps);
    if (next === null) return;
    event.preventDefault();
    aim.value = next;
    clearTimeout(resting.current);
    resting.current = setTimeout(land, REST_MS);
  };

  const share = (bytes: number) => `${(100 * bytes) / total}%`;
  return (
    <div class="output-slider">
      <div class="output-track" aria-hidden="true">
        <i class="output-loaded" style={{ left: share(loaded.start), width: share(loaded.next - loaded.start) }} />
        {gaps.map(({ start, end }) => (
          <i key={start} class="output-gap" style={{ left: share(start), width: share(end - start) }} />
        ))}
      </div>
      <input
        type="range"
        aria-label="Position in the output"
        aria-valuetext={`${formatBytes(value)} of ${formatBytes(total)}`}
        min={0}
        max={total}
        step={1}
        value={value}
        onKeyDown={onKeyDown}
        onInput={(event) => {
          aim.value = event.currentTarget.valueAsNumber;
        }}
        onChange={land}
      />
    </div>
  );
}

/** How long a kill took to one run, hop by hop: as text, and as a bar. */
import type { Kill, Target } from '#protocol/api';
import { HOP_LABELS, hopsOf, hopText, segmentsOf } from './hops.ts';

interface KillTimingProps {
  readonly kill: Pick<Kill, 'stored_ms'>;
  readonly target: Target;
}

export function KillTiming({ kill, target }: KillTimingProps) {
  const hops = hopsOf(kill, target);
  if (hops.length === 0) return null;
  const segments = segmentsOf(hops);
  const cut = segments.find(({ isCut }) => isCut)?.name;
  return (
    <div class="kill-timing">
      {/* All that it says is in the list. */}
      <div class="hop-bar" aria-hidden="true">
        {segments.map(({ name, share }) => (
          <span key={name} data-hop={name} class={name === cut ? 'cut' : undefined} style={{ flexGrow: share }} />
        ))}
      </div>
      <ol class="hops" aria-label="Time since the request">
        {hops.map(({ name, atMs }) => (
          <li key={name} data-hop={name}>
            <span class={name === cut ? 'hop-mark cut' : 'hop-mark'} aria-hidden="true" />
            {HOP_LABELS[name]} <strong>{hopText(atMs)}</strong>
          </li>
        ))}
      </ol>
    </div>
  );
}

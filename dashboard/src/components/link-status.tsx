/** Whether what is shown is being kept up to date. */

import { elapsedText } from '../format/quantity.ts';
import { now } from '../state/clock.ts';
import type { Freshness } from '../state/freshness.ts';
import { Docked } from './dock.tsx';

export function LinkStatus({ freshness }: { readonly freshness: Freshness }) {
  return (
    <p class="link-status" data-link={freshness.kind} role="status">
      <span class="link-dot" aria-hidden="true" />
      <span class="link-words">{linkText(freshness)}</span>
    </p>
  );
}

function linkText(freshness: Freshness): string {
  switch (freshness.kind) {
    case 'connecting':
      return 'connecting…';
    case 'catching_up':
      return 'syncing…';
    case 'open':
      return 'live';
    case 'down':
      return 'offline';
  }
}

/** Below this a gap is a blink, and telling of it only startles. */
const WORTH_TELLING_MS = 2_000;

/** Told from the loss of the link until what was missed is there. */
export function LinkBanner({ freshness }: { readonly freshness: Freshness }) {
  if (freshness.kind !== 'down' && freshness.kind !== 'catching_up') return null;
  if (freshness.since === null) return null;
  return (
    <Docked>
      <Outage since={freshness.since} isBack={freshness.kind === 'catching_up'} />
    </Docked>
  );
}

function Outage({ since, isBack }: { readonly since: number; readonly isBack: boolean }) {
  // Read for its ticking alone: the link's times are by this machine's clock.
  now.value;
  const downMs = Date.now() - since;
  if (downMs < WORTH_TELLING_MS) return null;
  return (
    <div class="banner" role="alert">
      {isBack ? (
        <strong>Back online.</strong>
      ) : (
        <strong>
          {/* What ticks would be read aloud every second. */}
          Offline<span aria-hidden="true"> for {elapsedText(downMs)}</span>.
        </strong>
      )}{' '}
      This data may be out of date. {isBack ? 'Syncing…' : 'Reconnecting…'}
    </div>
  );
}

/** Whether what is shown is being kept up to date. */
import type { LinkState } from '../api/watch-socket.ts';
import { now } from '../state/clock.ts';
import { Docked } from './dock.tsx';
import { durationText } from './quantity.ts';

export function LinkStatus({ link }: { readonly link: LinkState }) {
  return (
    <p class="link-status" data-link={link.kind} role="status">
      <span class="link-dot" aria-hidden="true" />
      {linkText(link)}
    </p>
  );
}

function linkText(link: LinkState): string {
  switch (link.kind) {
    case 'connecting':
      return 'connecting…';
    case 'open':
      return 'live';
    case 'down':
      return 'not connected';
  }
}

/** Below this a gap is a blink, and telling of it only startles. */
const WORTH_TELLING_MS = 2_000;

export function LinkBanner({ link }: { readonly link: LinkState }) {
  if (link.kind !== 'down') return null;
  return (
    <Docked>
      <Outage since={link.since} />
    </Docked>
  );
}

function Outage({ since }: { readonly since: number }) {
  // Read for its ticking alone: the link's times are by this machine's clock.
  now.value;
  const downMs = Date.now() - since;
  if (downMs < WORTH_TELLING_MS) return null;
  return (
    <div class="banner" role="alert">
      <strong>Not connected for {durationText(downMs)}.</strong> What you see may be out of date. Trying again…
    </div>
  );
}

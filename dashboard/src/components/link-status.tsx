/** Whether what is shown is being kept up to date. */

import { elapsedText } from '../format/quantity.ts';
import { now } from '../state/clock.ts';
import type { SyncStatus } from '../state/sync.ts';
import './link-status.css';
import { Docked } from './dock.tsx';

export function LinkStatus({ status }: { readonly status: SyncStatus }) {
  return (
    <p class="link-status" data-link={status.kind} role="status">
      <span class="link-dot" aria-hidden="true" />
      <span class="link-words">{linkText(status)}</span>
    </p>
  );
}

function linkText(status: SyncStatus): string {
  switch (status.kind) {
    case 'connecting':
      return 'connecting…';
    case 'syncing':
      return 'syncing…';
    case 'live':
      return 'live';
    case 'stale':
      return 'offline';
  }
}

/** A shorter outage is not worth a banner. */
const WORTH_TELLING_MS = 2_000;

/** Told from the loss of the link until what was missed is there. */
export function LinkBanner({ status }: { readonly status: SyncStatus }) {
  if (status.kind !== 'stale' && status.kind !== 'syncing') return null;
  if (status.since === null) return null;
  return (
    <Docked>
      <Outage since={status.since} isBack={status.kind === 'syncing'} />
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

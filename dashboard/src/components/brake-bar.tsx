/** What an operator has stopped for now, on every page until it ends. */
import './brake-bar.css';
import { useSignal } from '@preact/signals';
import type { Session } from '#protocol/api';
import { type Brake, scopeText } from '#protocol/brakes';
import { formatDuration } from '#shared/format-duration';
import { batchPath, Link } from '../router.tsx';
import { activeBrakes, useBrakes } from '../state/brakes.ts';
import { now } from '../state/clock.ts';
import { mayBrake, mayRead } from '../state/rights.ts';
import { EndBrakeDialog } from './lazy-brake-dialogs.tsx';
import { Clock } from './time.tsx';

/** More are one click away: the page below must stay in sight. */
const MOST_SHOWN = 3;

export function BrakeBar({ who }: { readonly who: Session }) {
  useBrakes(mayRead(who));
  const isOpen = useSignal(false);
  const ending = useSignal<Brake | null>(null);
  const active = activeBrakes.value;
  if (active.length === 0) return null;
  const shown = isOpen.value || active.length <= MOST_SHOWN ? active : active.slice(0, MOST_SHOWN - 1);
  return (
    <section class="brake-bar" aria-label="Brakes and maintenance">
      {shown.map((brake) => (
        <BrakeRow
          key={brake.id}
          brake={brake}
          who={who}
          end={() => {
            ending.value = brake;
          }}
        />
      ))}
      {active.length > shown.length && (
        <button
          type="button"
          class="button quiet"
          onClick={() => {
            isOpen.value = true;
          }}
        >
          Show {active.length - shown.length} more
        </button>
      )}
      {ending.value !== null && (
        <EndBrakeDialog
          brake={ending.value}
          close={() => {
            ending.value = null;
          }}
        />
      )}
    </section>
  );
}

interface BrakeRowProps {
  readonly brake: Brake;
  readonly who: Session;
  end(): void;
}

function BrakeRow({ brake, who, end }: BrakeRowProps) {
  const { kill, reason, until, created_by: by } = brake;
  return (
    <div class="brake-row" data-kind={kill ? 'brake' : 'maintenance'}>
      <p>
        <span class="brake-what" title={reason ?? undefined}>
          <strong>
            {kill ? 'Brake on' : 'Maintenance of'} {scopeText(brake)}
          </strong>
          {reason !== null && <>: {reason}</>}
        </span>{' '}
        <span class="brake-facts">
          <span class="brake-effect">
            {kill ? 'Runs are killed as soon as they connect. ' : 'Runs that ask don’t start; no alerts. '}
          </span>
          By {by}, until <Clock at={until} /> <TimeLeft until={until} />
        </span>
      </p>
      <span class="brake-actions">
        {kill && mayRead(who) && <Link to={batchPath(brake.id)}>Kills</Link>}
        {mayBrake(who, brake.jobs) && (
          <button type="button" class="button" aria-label={`End: ${scopeText(brake)}`} onClick={end}>
            End…
          </button>
        )}
      </span>
    </div>
  );
}

function TimeLeft({ until }: Pick<Brake, 'until'>) {
  const leftMs = Math.ceil((Date.parse(until) - now.value) / 1000) * 1000;
  return <span class="brake-left">({formatDuration(Math.max(0, leftMs))} left)</span>;
}

/** The job's most recent kills: who requested them, when, and their progress. */
import { useComputed } from '@preact/signals';
import type { Kill } from '#protocol/api';
import { Ago } from '../../components/time.tsx';
import { progressText } from '../../format/batch-labels.ts';
import { batchText, hitText } from '../../format/kill-labels.ts';
import { batchPath, killPath, Link } from '../../router.tsx';
import { batchProgress } from '../../state/batch-progress.ts';
import { type Batch, byBatch, isBatch, stateOfBatch } from '../../state/batches.ts';
import { kills } from '../../state/kills.ts';
import { SHOWN_KILLS } from './follow-job.ts';

interface RecentKillsProps {
  readonly job: string;
  /** Whether what is not here is not there. */
  readonly isKnown: boolean;
}

/** The newest in a line, which is there before it is known: what is below stays where it is. */
export function RecentKills({ job, isKnown }: RecentKillsProps) {
  const last = useComputed(() =>
    byBatch(
      [...kills.value.values()]
        .filter((kill) => kill.job === job)
        .sort((a, b) => Date.parse(b.requested_at) - Date.parse(a.requested_at)),
    ).slice(0, SHOWN_KILLS),
  ).value;
  const [newest] = last;
  const parts = newest === undefined ? [] : isBatch(newest) ? newest.kills : [newest];
  const [first] = parts;
  return (
    <section aria-label="Recent kills">
      <details class="job-kills">
        <summary>
          <strong>Recent kills</strong>{' '}
          {newest === undefined || first === undefined ? (
            <span class="aside">{isKnown ? 'none' : 'loading…'}</span>
          ) : (
            <span class="aside">
              <Ago at={first.requested_at} /> of {isBatch(newest) ? batchText(newest) : hitText(first)} by{' '}
              {first.requested_by}: {progressText(batchProgress(parts))}
            </span>
          )}
        </summary>
        <ol>
          {last.map((kill) => (
            <LastKill key={kill.id} kill={kill} />
          ))}
        </ol>
        <Link to={`/kills?job=${job}`}>All kills of this job</Link>
      </details>
    </section>
  );
}

/** A batch is one row. */
function LastKill({ kill }: { readonly kill: Kill | Batch }) {
  const kills = isBatch(kill) ? kill.kills : [kill];
  const [first] = kills;
  if (first === undefined) return null;
  return (
    <li class="job-kill" data-kill={first.id} data-state={isBatch(kill) ? stateOfBatch(kill).state : first.state}>
      {isBatch(kill) ? (
        <Link to={batchPath(kill.id)}>Kill of {batchText(kill)}</Link>
      ) : (
        <Link to={killPath(first.id)}>Kill of {hitText(first)}</Link>
      )}
      <span class="aside">
        <Ago at={first.requested_at} />
      </span>
      <span class="aside job-kill-who">by {first.requested_by}</span>
      <span class="job-kill-outcome">{progressText(batchProgress(kills))}</span>
      {first.reason !== null && <span class="aside job-kill-reason">“{first.reason}”</span>}
    </li>
  );
}

import './overview.css';
import { useEffect } from 'preact/hooks';
import type { Run } from '#protocol/api';
import { Announcer } from '../../parts/announcer.tsx';
import { LinkBanner, LinkStatus } from '../../parts/link-status.tsx';
import { Notice } from '../../parts/notice.tsx';
import { usePageTitle } from '../../parts/page-title.ts';
import { STATE_WORDS } from '../../parts/run-state.tsx';
import { failure, followFleet, link, loaded, runs } from '../../state/fleet.ts';
import { endedRuns, liveRuns } from '../../state/newest.ts';
import { FirstJob } from './first-job.tsx';
import { RunTable } from './run-table.tsx';

export function OverviewPage() {
  useEffect(() => followFleet(), []);
  const live = liveRuns(runs.value);
  const ended = endedRuns(runs.value);
  const empty = loaded.value && live.length === 0 && ended.length === 0;
  usePageTitle(live.length > 0 ? `(${live.length}) Leash` : 'Leash');

  return (
    <main class="page overview" aria-busy={!loaded.value}>
      <div class="page-head">
        <h1>What runs</h1>
        <LinkStatus link={link.value} />
      </div>
      {failure.value !== null && (
        <Notice tone="bad" title="The list cannot be loaded">
          {failure.value.detail}
        </Notice>
      )}
      {empty && <FirstJob origin={location.origin} />}
      {loaded.value && !empty && (
        <>
          <section aria-labelledby="running">
            <h2 id="running">
              Running <span class="count">{live.length}</span>
            </h2>
            {live.length > 0 ? (
              <RunTable runs={live} labelledBy="running" />
            ) : (
              <p class="nothing">Nothing is running right now.</p>
            )}
          </section>
          {ended.length > 0 && (
            <section aria-labelledby="ended">
              <h2 id="ended">Ended</h2>
              <RunTable runs={ended} labelledBy="ended" />
            </section>
          )}
        </>
      )}
      <Announcer text={loaded.value ? latestEnd(ended[0]) : null} />
      <LinkBanner link={link.value} />
    </main>
  );
}

function latestEnd(run: Run | undefined): string {
  if (run === undefined) return '';
  return `${run.job} on ${run.machine}: ${STATE_WORDS[run.state]}${run.exit_code === null ? '' : `, exit code ${run.exit_code}`}`;
}

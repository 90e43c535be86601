import type { ComponentChildren } from 'preact';
import type { About } from '#protocol/about';
import { EndsStrip } from '../../components/ends-strip.tsx';
import { StateBadge } from '../../components/run-state.tsx';
import { RunbookLink } from '../../components/runbook-link.tsx';
import { Ago, Clock } from '../../components/time.tsx';
import { Link, runPath } from '../../router.tsx';
import type { JobSummary } from '../../state/store.ts';

interface JobHeadProps {
  readonly name: string;
  /** Null for one that has shown up only just now. */
  readonly firstSeenAt: string | null;
  readonly job: JobSummary | null;
  /** What can be done about all of it. */
  readonly children: ComponentChildren;
}

export function JobHead({ name, firstSeenAt, job, children }: JobHeadProps) {
  return (
    <header class="job-head">
      <h1>{name}</h1>
      <p class="job-facts">
        {firstSeenAt !== null && (
          <span class="aside">
            First seen <Clock at={firstSeenAt} />
          </span>
        )}
        {job !== null && job.ends.length > 0 && <EndsStrip ends={job.ends} />}
      </p>
      <div class="job-do">{children}</div>
      {job?.about != null && <JobAbout about={job.about} />}
    </header>
  );
}

/** What the job is, as its newest run says. */
function JobAbout({ about: { tags, owner, runbook, note } }: { readonly about: About }) {
  return (
    <div class="job-about">
      {tags.length > 0 && (
        <ul class="job-tags" aria-label="Tags">
          {tags.map((tag) => (
            <li key={tag}>
              <Link to={`/?q=${encodeURIComponent(`tag:${tag}`)}`} title="Show runs with this tag">
                {tag}
              </Link>
            </li>
          ))}
        </ul>
      )}
      {owner !== null && <span>Owner: {owner}</span>}
      {runbook !== null && (
        <span class="job-runbook">
          Runbook:
          <RunbookLink url={runbook} />
        </span>
      )}
      {note !== null && <p>{note}</p>}
    </div>
  );
}

/** Nothing of it runs: how it ended last. */
export function Idle({ job }: { readonly job: JobSummary | null }) {
  const last = job?.ends[0];
  return (
    <div class="nothing job-idle">
      <p>Not running</p>
      {job !== null && last !== undefined && (
        <p class="job-last">
          <Link to={runPath({ id: last.run, job: job.name })}>Last run</Link> on {last.machine}{' '}
          <StateBadge state={last.state} /> <Ago at={last.ended_at ?? last.started_at} />
        </p>
      )}
    </div>
  );
}

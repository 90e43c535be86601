/** What was found of one job. */
import type { Expectation } from '#protocol/expectations';
import type { Finding, ReportedJob } from '#protocol/report';
import { detailText } from '#shared/finding-text';
import { MachineLink } from '../../components/machine-link.tsx';
import { Ago, Clock } from '../../components/time.tsx';
import { jobPath, killPath, Link, runPath } from '../../router.tsx';
import { FindingBadge } from './finding-badge.tsx';
import { OutputTail } from './output-tail.tsx';
import { OverdueDetail } from './overdue-detail.tsx';

interface JobCardProps {
  readonly reported: ReportedJob;
  /** The end of the report. */
  readonly until: string;
  /** Of which findings the output is shown. */
  readonly opened: ReadonlySet<string>;
  toggle(key: string): void;
}

export function JobCard({ reported, until, opened, toggle }: JobCardProps) {
  const { job, about, findings } = reported;
  return (
    <article class="night-job" data-job={job}>
      <header>
        <h3>
          <Link to={jobPath(job)} cursor>
            {job}
          </Link>
        </h3>
        {about !== null && (
          <p class="night-about">
            {about.owner !== null && <span>Owner: {about.owner}</span>}
            {about.runbook !== null && (
              <a href={about.runbook} target="_blank" rel="noreferrer">
                Runbook
              </a>
            )}
            {about.note !== null && <span class="night-note">{about.note}</span>}
          </p>
        )}
      </header>
      <ul>
        {findings.map((finding) => {
          const key = `${job} ${finding.kind}`;
          return (
            <FindingLine
              key={finding.kind}
              finding={finding}
              until={until}
              isOpen={opened.has(key)}
              toggle={() => toggle(key)}
            />
          );
        })}
      </ul>
    </article>
  );
}

interface FindingLineProps {
  readonly finding: Finding;
  readonly until: string;
  readonly isOpen: boolean;
  toggle(): void;
}

function FindingLine({ finding, until, isOpen, toggle }: FindingLineProps) {
  const { run, kill, count, expectation, overdue } = finding;
  const isSkipped = run?.state === 'skipped';
  const hasOutput = run !== null && !isSkipped;
  return (
    <li class="finding" data-kind={finding.kind} data-over={finding.is_over}>
      <FindingBadge finding={finding} />
      <div class="finding-what">
        <Where finding={finding} />
        {expectation !== null ? (
          <Due expectation={expectation} />
        ) : overdue !== null ? (
          <OverdueDetail overdue={overdue} isSkipped={isSkipped} />
        ) : (
          <span class="finding-detail">{detailText(finding, Date.parse(until))}</span>
        )}
      </div>
      <p class="finding-when">
        <When finding={finding} />
      </p>
      <p class="finding-links">
        {run !== null && <Link to={runPath(run)}>{count > 1 ? 'Last run' : 'Run'}</Link>}
        {kill !== null && <Link to={killPath(kill.id)}>Kill</Link>}
        {hasOutput && (
          <button type="button" class="button quiet" aria-expanded={isOpen} onClick={toggle}>
            Output
          </button>
        )}
      </p>
      {isOpen && hasOutput && <OutputTail run={run} />}
    </li>
  );
}

/** More machines than this are only counted. */
const NAMED = 3;

function Where({ finding: { machines, machine_count } }: { readonly finding: Finding }) {
  if (machine_count === 0) return null;
  const named = machines.slice(0, machine_count > NAMED + 1 ? NAMED : NAMED + 1);
  const more = machine_count - named.length;
  return (
    <span class="finding-where">
      {'on '}
      {named.map((name, index) => (
        <span key={name}>
          {index > 0 && ', '}
          <MachineLink name={name} />
        </span>
      ))}
      {more > 0 && ` and ${more} more machines`}
    </span>
  );
}

function Due({ expectation: { due_at, last_started_at, problem } }: { readonly expectation: Expectation }) {
  return (
    <span class="finding-detail">
      {due_at !== null && (
        <>
          was due <Clock at={due_at} />;{' '}
        </>
      )}
      {last_started_at === null ? (
        'never started'
      ) : (
        <>
          last started <Ago at={last_started_at} />
        </>
      )}
      {problem !== null && `; ${problem}`}
    </span>
  );
}

function When({ finding }: { readonly finding: Finding }) {
  const { kind, count, first_at, last_at, is_over } = finding;
  if (kind === 'slow' && !is_over) return 'now';
  if ((kind === 'late' || kind === 'missed') && !is_over) {
    return (
      <>
        since <Clock at={first_at} />
      </>
    );
  }
  if (count === 1 || toSecond(first_at) === toSecond(last_at)) return <Clock at={last_at} />;
  return (
    <>
      <Clock at={first_at} /> to <Clock at={last_at} />
    </>
  );
}

/** What is shown of a time: two that differ by less would look the same. */
function toSecond(at: string): number {
  return Math.floor(Date.parse(at) / 1000);
}

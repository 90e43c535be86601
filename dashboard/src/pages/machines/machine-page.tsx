/** One machine: what runs there, how its jobs ended there, and when they are due. */
import './machines.css';
import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { Run, Session } from '#protocol/api';
import type { MachineBody, MachineJob } from '#protocol/machines';
import { isLive } from '#protocol/run-state';
import { scheduleText } from '#shared/expected-text';
import type { Failure } from '../../api/failure.ts';
import { fetchMachine } from '../../api/report.ts';
import { EndsStrip } from '../../components/ends-strip.tsx';
import { LinkBanner, LinkStatus } from '../../components/link-status.tsx';
import { Notice } from '../../components/notice.tsx';
import { OpenRunRow } from '../../components/open-run-row.tsx';
import { StateBadge } from '../../components/run-state.tsx';
import { SelectionBar } from '../../components/selection-bar.tsx';
import { Ago, Clock } from '../../components/time.tsx';
import { isBroken } from '../../format/expectation-labels.ts';
import { usePageTitle } from '../../hooks/page-title.ts';
import { useScrollAnchor } from '../../hooks/scroll-anchor.ts';
import { useKillDialog } from '../../hooks/use-kill-dialog.tsx';
import { usePickAndKill } from '../../keyboard/pick-and-kill.ts';
import { useRowCursor } from '../../keyboard/row-cursor.ts';
import { jobPath, Link, runPath } from '../../router.tsx';
import { loaded, openRuns, syncStatus, useFleet } from '../../state/fleet.ts';
import { refOf } from '../../state/run-ref.ts';
import { useSelection } from '../../state/selection.ts';
import { store } from '../../state/store.ts';
import { useReload } from '../../state/use-reload.ts';
import { Seen } from './seen.tsx';

interface MachinePageProps {
  readonly name: string;
  readonly who: Session;
}

/** Runs that end together are looked up together. */
const LOOK_AFTER_MS = 1_000;

export function MachinePage({ name, who }: MachinePageProps) {
  useFleet();
  const { body, failure, load } = useMachine(name);
  const open = useComputed(() => [...openRuns.value.values()].filter(({ machine }) => machine === name)).value;
  const running = useMemo(() => (loaded.value ? sorted(open) : (body?.running ?? [])), [open, body, loaded.value]);
  usePageTitle(running.length === 0 ? `${name} – Leash` : `(${running.length}) ${name} – Leash`);
  const isUnknown = failure?.kind === 'problem' && failure.code === 'unknown_machine' && open.length === 0;
  return (
    <main class="page machine-page" aria-busy={body === null}>
      <nav class="page-head" aria-label="Breadcrumb">
        <span class="trail">
          <Link to="/machines">Machines</Link>
          {` / ${name}`}
        </span>
        <LinkStatus status={syncStatus.value} />
      </nav>
      {isUnknown && (
        <Notice tone="plain" title="Machine not found" isPage>
          No run was on <strong>{name}</strong>, or none that is kept or that your token can see. It appears with its
          first run. <Link to="/machines">Go to machines</Link>
        </Notice>
      )}
      {failure !== null && !isUnknown && (
        <Notice
          tone="bad"
          title="Couldn’t load this machine"
          isPage={body === null}
          action={{ label: 'Try again', run: load }}
        >
          {failure.detail}
        </Notice>
      )}
      {body === null && failure === null && (
        <p class="nothing" role="status">
          Loading machine…
        </p>
      )}
      {body !== null && <Loaded body={body} running={running} who={who} />}
      <LinkBanner status={syncStatus.value} />
    </main>
  );
}

function sorted(runs: readonly Run[]): Run[] {
  return runs.toSorted((a, b) => (refOf(a) < refOf(b) ? -1 : 1));
}

/** Loaded again when something has ended there. */
function useMachine(name: string) {
  const body = useSignal<MachineBody | null>(null);
  const failure = useSignal<Failure | null>(null);
  const load = useMemo(
    () => async () => {
      const machine = await fetchMachine(name);
      failure.value = machine.ok ? null : machine.failure;
      if (machine.ok) body.value = machine.value;
    },
    [name],
  );
  useReload(load);
  const changed = store.changed.value;
  useEffect(() => {
    if (!changed.some((run) => run.machine === name && !isLive(run.state))) return;
    const timer = setTimeout(() => void load(), LOOK_AFTER_MS);
    return () => clearTimeout(timer);
  }, [changed]);
  return { body: body.value, failure: failure.value, load };
}

interface LoadedProps {
  readonly body: MachineBody;
  readonly running: readonly Run[];
  readonly who: Session;
}

function Loaded({ body: { machine, jobs }, running, who }: LoadedProps) {
  const place = useRef<HTMLDivElement | null>(null);
  const selection = useSelection(who, openRuns);
  const [ask, killDialog] = useKillDialog(selection);
  const keys = [...running.map((run) => `run ${refOf(run)}`), ...jobs.map(({ job }) => `job ${job}`)];
  const reveal = (key: string) =>
    place.current?.querySelector(`[data-row-key="${CSS.escape(key)}"]`)?.scrollIntoView({ block: 'nearest' });
  const cursor = useRowCursor({ keys, within: place, reveal });
  usePickAndKill({
    selection,
    runsHere: () => running.filter((run) => `run ${refOf(run)}` === cursor.marked()),
    picks: 'the run',
    ask,
  });
  useScrollAnchor({ list: place, wish: machine.name });
  return (
    <div ref={place} tabIndex={-1} class="machine-parts">
      <header class="machine-head">
        <h1>{machine.name}</h1>
        <p class="machine-facts">
          <Seen machine={{ ...machine, is_connected: isConnected(running) }} />
          {machine.wrapper_version !== null && (
            <span>
              {machine.wrapper === 'saltpeter' ? 'Saltpeter' : 'leash'} {machine.wrapper_version}
            </span>
          )}
          {machine.os !== null && <span>{machine.os}</span>}
          {machine.node !== null && <span>Node {machine.node}</span>}
          <Link to={`/timeline?${new URLSearchParams({ by: 'machine', q: `machine:${machine.name}` })}`}>Timeline</Link>
        </p>
      </header>
      <section class="machine-now" aria-labelledby="machine-now">
        <h2 id="machine-now">
          Now <span class="count">{running.length}</span>
        </h2>
        {running.length === 0 ? (
          <p class="nothing">Nothing runs here now.</p>
        ) : (
          <ul class="plain-rows">
            {running.map((run) => (
              <li key={refOf(run)} data-row-key={`run ${refOf(run)}`}>
                <OpenRunRow run={run} name={run.job} class="machine-run" selection={selection} ask={ask} />
              </li>
            ))}
          </ul>
        )}
      </section>
      <section aria-labelledby="machine-jobs">
        <h2 id="machine-jobs">
          Jobs here <span class="count">{jobs.length}</span>
        </h2>
        <ul class="plain-rows">
          {jobs.map((job) => (
            <li key={job.job} data-row-key={`job ${job.job}`}>
              <JobRow job={job} />
            </li>
          ))}
        </ul>
      </section>
      <SelectionBar selection={selection} shown={running} ask={ask} />
      {killDialog}
    </div>
  );
}

function isConnected(running: readonly Run[]): boolean {
  return running.some(({ state, connected }) => isLive(state) && connected);
}

function JobRow({ job: { job, last_end: last, recent_ends, expectation } }: { readonly job: MachineJob }) {
  const isOverdue = expectation !== null && isBroken(expectation);
  return (
    <article class="row machine-job" data-job={job} data-state={last?.state}>
      <div class="cell-state">
        {last === null ? (
          <span class="aside">no end yet</span>
        ) : (
          <StateBadge
            state={last.state}
            note={last.state === 'succeeded' || last.exit_code === null ? null : `exit code ${last.exit_code}`}
          />
        )}
      </div>
      <div class="cell-name">
        <Link to={jobPath(job)} class="row-link" cursor>
          {job}
        </Link>
        {last !== null && (
          <Link to={runPath({ id: last.run, job })} class="last-run machine-link">
            Last run<span class="visually-hidden"> of {job}</span>
          </Link>
        )}
      </div>
      <div class="cell-due">
        {expectation !== null && (
          <>
            <span>{scheduleText(expectation)}</span>
            <span class={isOverdue ? 'problem' : 'aside'}>
              {isOverdue && `${expectation.state} `}
              {expectation.due_at !== null && (
                <>
                  {isOverdue ? 'since ' : 'next '}
                  <Clock at={expectation.due_at} />
                </>
              )}
            </span>
          </>
        )}
      </div>
      <div class="cell-ends">
        <EndsStrip ends={recent_ends} />
      </div>
      <div class="cell-time">{last !== null && <Ago at={last.ended_at} />}</div>
    </article>
  );
}

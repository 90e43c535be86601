/** One kill: what it is for, how far it has come at each run, and what to quote when something went wrong. */
import { elapsedText } from '../../format/quantity.ts';
import './kills.css';
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useCallback, useEffect } from 'preact/hooks';
import type { Kill, Session, Target } from '#protocol/api';
import { fetchKill } from '../../api/calls.ts';
import type { Failure } from '../../api/failure.ts';
import { Announcer } from '../../components/announcer.tsx';
import { CopyButton } from '../../components/copy-button.tsx';
import { LinkBanner, LinkStatus } from '../../components/link-status.tsx';
import { Notice } from '../../components/notice.tsx';
import { Rows } from '../../components/rows.tsx';
import { Ago, Clock } from '../../components/time.tsx';
import { forceText, progressText } from '../../format/batch-labels.ts';
import {
  killText,
  matchText,
  meaningOf,
  optionsText,
  TARGET_STATE_LABELS,
  targetMeaning,
} from '../../format/kill-labels.ts';
import { usePageTitle } from '../../hooks/page-title.ts';
import { batchPath, jobPath, Link, query, runPath, setFilter } from '../../router.tsx';
import { type BatchProgress, batchProgress } from '../../state/batch-progress.ts';
import { now } from '../../state/clock.ts';
import { openRuns, syncStatus, useFleet } from '../../state/fleet.ts';
import { kills, upsertKills } from '../../state/kills.ts';
import { requestKill, runsInGrace } from '../../state/pending-kills.ts';
import { mayKill, mayRead } from '../../state/rights.ts';
import { FIND_HOLDERS, hasSurvivors, survivorsText } from '../../state/survivors.ts';
import { useReload } from '../../state/use-reload.ts';
import { firstSignalText } from './hops.ts';
import { KillStateBadge, TargetStateBadge } from './kill-state.tsx';
import { KillTiming } from './kill-timing.tsx';
import { shownTargets, type TargetShow, targetGroups } from './targets.ts';

const ROW_PX = 64;
/** More machines than this are left to the list. */
const TOLD_SURVIVORS = 5;

export function KillPage({ id, who }: { readonly id: string; readonly who: Session }) {
  const failure = useSignal<Failure | null>(null);
  const read = useCallback(async () => {
    const answer = await fetchKill(id);
    if (answer.ok) upsertKills([answer.value]);
    failure.value = answer.ok ? null : answer.failure;
  }, [id]);
  const kill = kills.value.get(id) ?? null;
  usePageTitle(kill === null ? 'Leash' : `Kill of ${kill.job}: ${killText(kill)} – Leash`);
  return (
    <main class="page kill-page" aria-busy={kill === null && failure.value === null}>
      <nav class="page-head" aria-label="Breadcrumb">
        {mayRead(who) ? <Link to="/kills">← Kills</Link> : <span />}
        {mayRead(who) ? <Followed read={read} /> : <ByHand read={read} />}
      </nav>
      {kill === null && <h1 class="kill-none">Kill</h1>}
      {failure.value !== null && <Trouble failure={failure.value} read={read} />}
      {kill !== null && <Loaded kill={kill} isLinked={mayRead(who)} mayForce={mayKill(who, kill.job)} />}
      {kill === null && failure.value === null && (
        <p class="nothing" role="status">
          Loading kill…
        </p>
      )}
      <Announcer text={kill === null ? null : spoken(kill)} />
    </main>
  );
}

interface ReadProps {
  /** Asks how it is by now. Stays the same function for one kill. */
  read(): Promise<void>;
}

function Followed({ read }: ReadProps) {
  useFleet();
  useReload(read);
  return (
    <>
      <LinkStatus status={syncStatus.value} />
      <LinkBanner status={syncStatus.value} />
    </>
  );
}

/** A token that may kill and not read may ask how far its kill is, but nothing is pushed to it. */
function ByHand({ read }: ReadProps) {
  useEffect(() => void read(), [read]);
  return (
    <p class="as-of">
      Not live
      <button type="button" class="button quiet" onClick={() => void read()}>
        Refresh
      </button>
    </p>
  );
}

function Trouble({ failure, read }: ReadProps & { readonly failure: Failure }) {
  // An id that can't be one is refused as bad input.
  if (failure.kind === 'problem' && (failure.status === 404 || failure.status === 400)) {
    return (
      <Notice tone="plain" title="Kill not found">
        {failure.detail} It may have been deleted with its runs, or your token can’t see that job.{' '}
        <Link to="/kills">View all kills</Link>
      </Notice>
    );
  }
  return (
    <Notice tone="bad" title="Couldn’t load this kill" action={{ label: 'Try again', run: () => void read() }}>
      {failure.detail}
    </Notice>
  );
}

interface LoadedProps {
  readonly kill: Kill;
  /** Whether the reader may see runs and jobs. */
  readonly isLinked: boolean;
}

interface HeadProps extends LoadedProps {
  readonly mayForce: boolean;
}

function Loaded({ kill, isLinked, mayForce }: HeadProps) {
  const progress = batchProgress([kill]);
  const { survivors } = progress;
  return (
    <>
      <header class="kill-head card" data-kill={kill.id} data-state={kill.state}>
        <div class="kill-title">
          <h1>Kill of {isLinked ? <Link to={jobPath(kill.job)}>{kill.job}</Link> : kill.job}</h1>
          <KillStateBadge kill={kill} />
        </div>
        <p>
          {meaningOf(kill)}
          {kill.targets.length > 0 && <strong class="far"> {progressText(progress)}.</strong>}
        </p>
        {mayForce && <Force kill={kill} />}
        {survivors.length > 0 && (
          <ul class="survivors problem">
            {survivors.slice(0, TOLD_SURVIVORS).map((left) => (
              <SurvivorsOn key={left.machine} left={left} />
            ))}
            {survivors.length > TOLD_SURVIVORS && (
              <li>… and on {survivors.length - TOLD_SURVIVORS} more machines, listed below.</li>
            )}
          </ul>
        )}
        <Facts kill={kill} />
      </header>
      <Targets kill={kill} isLinked={isLinked} />
    </>
  );
}

/** Its place is kept from the first: which of the runs are open is known a moment later than the kill. */
function Force({ kill }: { readonly kill: Kill }) {
  const unfinished = runsInGrace([kill], [...openRuns.value.values()]);
  const isAwaited = syncStatus.value.kind !== 'live' && unfinished.length === 0;
  const hit = isAwaited ? kill.targets.filter(({ state }) => state === 'term') : unfinished;
  if (hit.length === 0) return null;
  return (
    <p class={isAwaited ? 'awaited' : undefined}>
      <button
        type="button"
        class="button danger"
        disabled={isAwaited}
        onClick={() => requestKill({ kind: 'runs', runs: unfinished }, { signal: 'SIGKILL', grace_seconds: 0 })}
      >
        {forceText(hit)}
      </button>{' '}
      <span class="aside">skips the rest of the grace period</span>
    </p>
  );
}

function SurvivorsOn({ left }: { readonly left: BatchProgress['survivors'][number] }) {
  const { survivors: pids, unnamed_survivors } = left;
  return (
    <li>
      <strong>
        Processes survived on {left.machine}: {survivorsText(left)}.
      </strong>
      {pids.length > 0 && (
        <>
          {' '}
          Check {pids.length === 1 ? 'it' : 'them'} there with <code>ps -fp {pids.join(',')}</code>
        </>
      )}
      {unnamed_survivors && (
        <>
          {' '}
          To find what still holds the output, run this there as root: <code>{FIND_HOLDERS}</code>
        </>
      )}
    </li>
  );
}

function Facts({ kill }: { readonly kill: Kill }) {
  const firstSignal = firstSignalText(kill.targets);
  return (
    <dl class="kill-facts">
      <Fact name="Target">{matchText(kill)}</Fact>
      <Fact name="Signal">{optionsText(kill.signal, kill.grace_ms, kill.include)}</Fact>
      <Fact name="Reason">{kill.reason === null ? <span class="aside">none given</span> : kill.reason}</Fact>
      <Fact name="Requested by">{kill.requested_by}</Fact>
      <Fact name="Requested">
        <Clock at={kill.requested_at} />{' '}
        <span class="aside">
          (<Ago at={kill.requested_at} />)
        </span>
      </Fact>
      {firstSignal !== null && <Fact name="First signal">{firstSignal}</Fact>}
      <Fact name="Matches new runs">
        <Expiry kill={kill} />
      </Fact>
      <Fact name="Kill ID">
        <code>{kill.id}</code> <CopyButton text={kill.id} label="Copy the kill ID" />
      </Fact>
      {kill.batch !== null && (
        <Fact name="Batch">
          <Link to={batchPath(kill.batch)}>All kills in this batch</Link>
        </Fact>
      )}
      {kill.request_id !== null && (
        <Fact name="Request ID">
          <code>{kill.request_id}</code> <CopyButton text={kill.request_id} label="Copy the request ID" />
        </Fact>
      )}
    </dl>
  );
}

/** A run that started before the kill and reconnects before this is killed as well. */
function Expiry({ kill }: { readonly kill: Kill }) {
  const leftMs = Date.parse(kill.expires_at) - now.value;
  if (kill.state === 'expired' || leftMs <= 0) {
    return (
      <>
        expired <Clock at={kill.expires_at} />
      </>
    );
  }
  if (kill.run !== null && kill.targets.length > 0) return <>no – this run only</>;
  return (
    <>
      for {elapsedText(leftMs)} more
      <span class="aside"> (started earlier, reconnecting)</span>
    </>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Targets({ kill, isLinked }: LoadedProps) {
  const groups = targetGroups(kill.targets);
  const show = groups.find((group) => group.show === query.value.get('show'))?.show ?? null;
  const shown = shownTargets(kill.targets, show);
  if (kill.targets.length === 0) {
    return (
      <section aria-labelledby="targets">
        <h2 id="targets" class="targets-head">
          Targeted runs
        </h2>
        <p class="nothing">
          None{kill.state === 'expired' ? '. Nothing was killed.' : ' so far.'}{' '}
          {isLinked && <Link to={jobPath(kill.job)}>View job {kill.job}</Link>}
        </p>
      </section>
    );
  }
  return (
    <section aria-labelledby="targets">
      <h2 id="targets" class="targets-head">
        Targeted runs <span class="count">{kill.targets.length}</span>
      </h2>
      {groups.length > 1 && (
        // biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame that says nothing more
        <div class="chips" role="group" aria-label="Show">
          <Chip show={null} current={show} count={kill.targets.length} />
          {groups.map((group) => (
            <Chip key={group.show} show={group.show} current={show} count={group.count} />
          ))}
        </div>
      )}
      <Rows items={shown} keyOf={({ run }) => run} estimatePx={ROW_PX} label="Targeted runs">
        {(target) => <TargetRow kill={kill} target={target} isLinked={isLinked} />}
      </Rows>
    </section>
  );
}

interface ChipProps {
  readonly show: TargetShow | null;
  readonly current: TargetShow | null;
  readonly count: number;
}

function Chip({ show, current, count }: ChipProps) {
  return (
    <button
      type="button"
      class="chip"
      data-show={show}
      aria-pressed={show === current}
      onClick={() => setFilter({ show })}
    >
      {show === null ? 'All' : show === 'survivors' ? 'processes survived' : TARGET_STATE_LABELS[show]}
      <span class="count">{count}</span>
    </button>
  );
}

interface TargetRowProps extends LoadedProps {
  readonly target: Target;
}

function TargetRow({ kill, target, isLinked }: TargetRowProps) {
  return (
    <article class="row text target" data-target={target.run} data-state={target.state}>
      <div class="cell-state">
        <TargetStateBadge target={target} />
      </div>
      <div class="cell-name">
        {isLinked ? (
          <Link
            to={runPath({ id: target.run, job: kill.job })}
            class="row-link"
            label={`Run on ${target.machine}`}
            cursor
          >
            {target.machine}
          </Link>
        ) : (
          <strong>{target.machine}</strong>
        )}
      </div>
      <div class="cell-progress">
        <p class={hasSurvivors(target) ? 'problem' : 'aside'}>{targetMeaning(target)}</p>
        <KillTiming kill={kill} target={target} />
      </div>
      <div class="cell-code">
        {target.exit_code !== null && (
          <>
            exit code <strong data-exit-code={target.exit_code}>{target.exit_code}</strong>
          </>
        )}
      </div>
    </article>
  );
}

function spoken(kill: Kill): string {
  return `${killText(kill)}: ${progressText(batchProgress([kill]))}`;
}

/** One command: what it is for, how far it has come at each run, and what to quote when something went wrong. */
import './kills.css';
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useCallback, useEffect } from 'preact/hooks';
import type { Command, Session, Target } from '#protocol/api';
import { fetchCommand } from '../../api/calls.ts';
import type { Failure } from '../../api/failure.ts';
import { Announcer } from '../../parts/announcer.tsx';
import { CopyButton } from '../../parts/copy-button.tsx';
import { forceText, progressText } from '../../parts/kill-bar.tsx';
import {
  commandText,
  mannerText,
  matchText,
  meaningOf,
  TARGET_STATE_WORDS,
  targetMeaning,
} from '../../parts/kill-labels.ts';
import { LinkBanner, LinkStatus } from '../../parts/link-status.tsx';
import { Notice } from '../../parts/notice.tsx';
import { usePageTitle } from '../../parts/page-title.ts';
import { durationText } from '../../parts/quantity.ts';
import { Rows } from '../../parts/rows.tsx';
import { Ago, Clock } from '../../parts/time.tsx';
import { batchPath, jobPath, Link, narrow, query, runPath } from '../../router.tsx';
import { now } from '../../state/clock.ts';
import { freshness, openRuns, useFleet } from '../../state/fleet.ts';
import { useFresh } from '../../state/keep-fresh.ts';
import { inGrace, orderKill } from '../../state/kill-orders.ts';
import { commands, keepCommands } from '../../state/kills.ts';
import { type OrderProgress, orderProgress } from '../../state/order-progress.ts';
import { mayKill, mayRead } from '../../state/rights.ts';
import { FIND_HOLDERS, hasSurvivors, survivorsText } from '../../state/survivors.ts';
import { CommandStateBadge, TargetStateBadge } from './kill-state.tsx';
import { shownTargets, type TargetShow, targetGroups } from './targets.ts';

const ROW_PX = 64;
/** More machines than this are left to the list. */
const TOLD_SURVIVORS = 5;

export function CommandPage({ id, who }: { readonly id: string; readonly who: Session }) {
  const failure = useSignal<Failure | null>(null);
  const read = useCallback(async () => {
    const answer = await fetchCommand(id);
    if (answer.ok) keepCommands([answer.value]);
    failure.value = answer.ok ? null : answer.failure;
  }, [id]);
  const command = commands.value.get(id) ?? null;
  usePageTitle(command === null ? 'Leash' : `Kill of ${command.job}: ${commandText(command)} – Leash`);
  return (
    <main class="page command-page" aria-busy={command === null && failure.value === null}>
      <nav class="page-head" aria-label="Where you are">
        {mayRead(who) ? <Link to="/commands">← Commands</Link> : <span />}
        {mayRead(who) ? <Followed read={read} /> : <ByHand read={read} />}
      </nav>
      {command === null && <h1 class="command-none">Command</h1>}
      {failure.value !== null && <Trouble failure={failure.value} read={read} />}
      {command !== null && <Loaded command={command} isLinked={mayRead(who)} mayForce={mayKill(who, command.job)} />}
      {command === null && failure.value === null && (
        <p class="nothing" role="status">
          Loading the command…
        </p>
      )}
      <Announcer text={command === null ? null : spoken(command)} />
    </main>
  );
}

interface ReadProps {
  /** Asks how it is by now. Stays the same function for one command. */
  read(): Promise<void>;
}

function Followed({ read }: ReadProps) {
  useFleet();
  useFresh(read);
  return (
    <>
      <LinkStatus freshness={freshness.value} />
      <LinkBanner freshness={freshness.value} />
    </>
  );
}

/** A token that may kill and not read may ask how far its kill is, but nothing is pushed to it. */
function ByHand({ read }: ReadProps) {
  useEffect(() => void read(), [read]);
  return (
    <p class="as-of">
      As of when you last asked
      <button type="button" class="button quiet" onClick={() => void read()}>
        Look again
      </button>
    </p>
  );
}

function Trouble({ failure, read }: ReadProps & { readonly failure: Failure }) {
  // An id that can't be one is refused as bad input.
  if (failure.kind === 'problem' && (failure.status === 404 || failure.status === 400)) {
    return (
      <Notice tone="plain" title="No such command">
        {failure.detail} It may have been forgotten with its runs, or belong to a job that your token may not see.{' '}
        <Link to="/commands">See all commands</Link>
      </Notice>
    );
  }
  return (
    <Notice
      tone="bad"
      title="How far this command is cannot be loaded"
      action={{ label: 'Try again', run: () => void read() }}
    >
      {failure.detail}
    </Notice>
  );
}

interface LoadedProps {
  readonly command: Command;
  /** Whether the reader may see runs and jobs. */
  readonly isLinked: boolean;
}

interface HeadProps extends LoadedProps {
  readonly mayForce: boolean;
}

function Loaded({ command, isLinked, mayForce }: HeadProps) {
  const progress = orderProgress([command]);
  const { survivors } = progress;
  return (
    <>
      <header class="command-head card" data-command={command.id} data-state={command.state}>
        <div class="command-title">
          <h1>Kill of {isLinked ? <Link to={jobPath(command.job)}>{command.job}</Link> : command.job}</h1>
          <CommandStateBadge command={command} />
        </div>
        <p>
          {meaningOf(command)}
          {command.targets.length > 0 && <strong class="far"> {progressText(progress)}.</strong>}
        </p>
        {mayForce && <Force command={command} />}
        {survivors.length > 0 && (
          <ul class="survivors problem">
            {survivors.slice(0, TOLD_SURVIVORS).map((left) => (
              <SurvivorsOn key={left.machine} left={left} />
            ))}
            {survivors.length > TOLD_SURVIVORS && (
              <li>… and on {survivors.length - TOLD_SURVIVORS} more: they are among the runs below.</li>
            )}
          </ul>
        )}
        <Facts command={command} />
      </header>
      <Targets command={command} isLinked={isLinked} />
    </>
  );
}

/** Its place is kept from the first: which of the runs are open is known a moment later than the command. */
function Force({ command }: { readonly command: Command }) {
  const unfinished = inGrace([command], [...openRuns.value.values()]);
  const isAwaited = freshness.value.kind !== 'open' && unfinished.length === 0;
  const hit = isAwaited ? command.targets.filter(({ state }) => state === 'term') : unfinished;
  if (hit.length === 0) return null;
  return (
    <p class={isAwaited ? 'awaited' : undefined}>
      <button
        type="button"
        class="button danger"
        disabled={isAwaited}
        onClick={() => orderKill({ kind: 'runs', runs: unfinished }, { signal: 'SIGKILL', grace_seconds: 0 })}
      >
        {forceText(hit)}
      </button>{' '}
      <span class="aside">SIGKILL, without waiting for the grace to end</span>
    </p>
  );
}

function SurvivorsOn({ left }: { readonly left: OrderProgress['survivors'][number] }) {
  const { survivors: pids, unnamed_survivors } = left;
  return (
    <li>
      <strong>
        Could not be ended on {left.machine}: {survivorsText(left)}.
      </strong>
      {pids.length > 0 && (
        <>
          {' '}
          Look at {pids.length === 1 ? 'it' : 'them'} there: <code>ps -fp {pids.join(',')}</code>
        </>
      )}
      {unnamed_survivors && (
        <>
          {' '}
          What still holds the output is listed there, as root, by <code>{FIND_HOLDERS}</code>
        </>
      )}
    </li>
  );
}

function Facts({ command }: { readonly command: Command }) {
  return (
    <dl class="command-facts">
      <Fact name="Is for">{matchText(command)}</Fact>
      <Fact name="How">{mannerText(command.signal, command.grace_ms, command.include)}</Fact>
      <Fact name="Reason">{command.reason === null ? <span class="aside">none given</span> : command.reason}</Fact>
      <Fact name="Ordered by">{command.requested_by}</Fact>
      <Fact name="Ordered">
        <Clock at={command.requested_at} />{' '}
        <span class="aside">
          (<Ago at={command.requested_at} />)
        </span>
      </Fact>
      <Fact name="Finds new runs">
        <Expiry command={command} />
      </Fact>
      <Fact name="Command">
        <code>{command.id}</code> <CopyButton text={command.id} label="Copy the command’s id" />
      </Fact>
      {command.batch !== null && (
        <Fact name="Order">
          <Link to={batchPath(command.batch)}>All that was ordered with it</Link>
        </Fact>
      )}
      {command.request_id !== null && (
        <Fact name="Request, to look for in logs">
          <code>{command.request_id}</code> <CopyButton text={command.request_id} label="Copy the request’s id" />
        </Fact>
      )}
    </dl>
  );
}

/** A run that started before the order, and is back in touch before this, is hit as well. */
function Expiry({ command }: { readonly command: Command }) {
  const leftMs = Date.parse(command.expires_at) - now.value;
  if (command.state === 'expired' || leftMs <= 0) {
    return (
      <>
        not since <Clock at={command.expires_at} />
      </>
    );
  }
  if (command.run !== null && command.targets.length > 0) return <>no: it is for that one alone</>;
  return (
    <>
      for {durationText(leftMs)} more
      <span class="aside"> that started before it and come back in touch</span>
    </>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div class="command-fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Targets({ command, isLinked }: LoadedProps) {
  const groups = targetGroups(command.targets);
  const show = groups.find((group) => group.show === query.value.get('show'))?.show ?? null;
  const shown = shownTargets(command.targets, show);
  if (command.targets.length === 0) {
    return (
      <section aria-labelledby="targets">
        <h2 id="targets" class="targets-head">
          Runs it has found
        </h2>
        <p class="nothing">
          None{command.state === 'expired' ? '. It ended nothing.' : ' so far.'}{' '}
          {isLinked && <Link to={jobPath(command.job)}>See what runs of {command.job}</Link>}
        </p>
      </section>
    );
  }
  return (
    <section aria-labelledby="targets">
      <h2 id="targets" class="targets-head">
        Runs it has found <span class="count">{command.targets.length}</span>
      </h2>
      {groups.length > 1 && (
        // biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame that says nothing more
        <div class="narrowing" role="group" aria-label="Show">
          <Chip show={null} current={show} count={command.targets.length} />
          {groups.map((group) => (
            <Chip key={group.show} show={group.show} current={show} count={group.count} />
          ))}
        </div>
      )}
      <Rows items={shown} keyOf={({ run }) => run} estimatePx={ROW_PX} label="Runs that the command is for">
        {(target) => <TargetRow job={command.job} target={target} isLinked={isLinked} />}
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
      onClick={() => narrow({ show })}
    >
      {show === null ? 'All' : show === 'survivors' ? 'could not be ended' : TARGET_STATE_WORDS[show]}
      <span class="count">{count}</span>
    </button>
  );
}

interface TargetRowProps {
  readonly job: string;
  readonly target: Target;
  readonly isLinked: boolean;
}

function TargetRow({ job, target, isLinked }: TargetRowProps) {
  return (
    <article class="list-row target" data-target={target.run} data-state={target.state}>
      <div>
        <TargetStateBadge target={target} />
      </div>
      <div class="command-what">
        {isLinked ? (
          <Link
            to={runPath({ id: target.run, job })}
            class="list-row-link"
            label={`The run on ${target.machine}`}
            cursor
          >
            {target.machine}
          </Link>
        ) : (
          <strong>{target.machine}</strong>
        )}
      </div>
      <div class={hasSurvivors(target) ? 'problem' : 'aside'}>{targetMeaning(target)}</div>
      <div class="target-code">
        {target.exit_code !== null && (
          <>
            exit code <strong data-exit-code={target.exit_code}>{target.exit_code}</strong>
          </>
        )}
      </div>
    </article>
  );
}

function spoken(command: Command): string {
  return `${commandText(command)}: ${progressText(orderProgress([command]))}`;
}

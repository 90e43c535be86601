/** The machines that runs were on: what runs there, what ended badly, and when they were last seen. */
import './machines.css';
import { useComputed, useSignal } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import type { Machine } from '#protocol/machines';
import type { Failure } from '../../api/failure.ts';
import { fetchMachines } from '../../api/report.ts';
import { DensityToggle } from '../../components/density.tsx';
import { LinkBanner, LinkStatus } from '../../components/link-status.tsx';
import { Notice } from '../../components/notice.tsx';
import { Rows } from '../../components/rows.tsx';
import { StateBadge } from '../../components/run-state.tsx';
import { Ago } from '../../components/time.tsx';
import { TruncatedNotice } from '../../components/truncated-notice.tsx';
import { countText } from '../../format/quantity.ts';
import { usePageTitle } from '../../hooks/page-title.ts';
import { useShortcuts } from '../../keyboard/shortcuts.ts';
import { Link, machinePath, query, runPath, setFilter } from '../../router.tsx';
import { loaded, openRuns, syncStatus, useFleet } from '../../state/fleet.ts';
import { useReload } from '../../state/use-reload.ts';
import { type LiveMachine, liveMachines, needsAttention, shownMachines } from './live-machines.ts';
import { Seen } from './seen.tsx';

const ROW_PX = 60;

interface Loaded {
  readonly machines: readonly Machine[];
  readonly isTruncated: boolean;
}

export function MachinesPage() {
  useFleet();
  usePageTitle('Machines – Leash');
  const list = useSignal<Loaded | null>(null);
  const failure = useSignal<Failure | null>(null);
  const load = useMemo(
    () => async () => {
      const answer = await fetchMachines();
      failure.value = answer.ok ? null : answer.failure;
      if (answer.ok) list.value = { machines: answer.value.items, isTruncated: answer.value.isTruncated };
    },
    [],
  );
  useReload(load);
  const live = useComputed(() =>
    list.value === null ? null : liveMachines(list.value.machines, loaded.value ? openRuns.value : null),
  ).value;
  const typed = query.value.get('q') ?? '';
  const isOnlyBad = query.value.get('show') === 'attention';
  const shown = live === null ? [] : shownMachines(live, typed, isOnlyBad);
  return (
    <main class="page machines" aria-busy={live === null}>
      <div class="page-head">
        <h1>Machines</h1>
        <LinkStatus status={syncStatus.value} />
      </div>
      {failure.value !== null && (
        <Notice tone="bad" title="Couldn’t load machines" action={{ label: 'Try again', run: load }}>
          {failure.value.detail}
        </Notice>
      )}
      {list.value?.isTruncated === true && (
        <TruncatedNotice one="machine" which="the first">
          Every machine has a page of its own.
        </TruncatedNotice>
      )}
      <Filters bad={live?.filter(needsAttention).length ?? 0} typed={typed} isOnlyBad={isOnlyBad} />
      {shown.length > 0 && (
        <Rows items={shown} keyOf={({ name }) => name} estimatePx={ROW_PX} label="Machines, by name">
          {(machine) => <MachineRow machine={machine} />}
        </Rows>
      )}
      {shown.length === 0 && failure.value === null && (
        <Nothing isLoaded={live !== null} isEmpty={live?.length === 0} />
      )}
      <LinkBanner status={syncStatus.value} />
    </main>
  );
}

interface FiltersProps {
  readonly bad: number;
  readonly typed: string;
  readonly isOnlyBad: boolean;
}

function Filters({ bad, typed, isOnlyBad }: FiltersProps) {
  const field = useRef<HTMLInputElement | null>(null);
  useShortcuts([{ key: '/', does: 'Filter', run: () => field.current?.select() }]);
  return (
    <search class="filters sticky">
      <input
        ref={field}
        type="search"
        aria-label="Filter by name"
        placeholder="Filter by name"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        value={typed}
        onInput={(event) => setFilter({ q: event.currentTarget.value })}
      />
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame that says nothing more */}
      <div class="chips" role="group" aria-label="Show">
        <button type="button" class="chip" aria-pressed={!isOnlyBad} onClick={() => setFilter({ show: null })}>
          All
        </button>
        <button type="button" class="chip" aria-pressed={isOnlyBad} onClick={() => setFilter({ show: 'attention' })}>
          Needs attention <span class="count">{bad}</span>
        </button>
      </div>
      <DensityToggle />
    </search>
  );
}

function Nothing({ isLoaded, isEmpty }: { readonly isLoaded: boolean; readonly isEmpty: boolean }) {
  if (!isLoaded) {
    return (
      <p class="nothing" role="status">
        Loading machines…
      </p>
    );
  }
  return (
    <p class="nothing" role="status">
      {isEmpty ? (
        'No machines yet. A machine appears here with its first run.'
      ) : (
        <>
          No machines match this filter.{' '}
          <button type="button" class="button quiet" onClick={() => setFilter({ q: null, show: null })}>
            Clear filter
          </button>
        </>
      )}
    </p>
  );
}

function MachineRow({ machine }: { readonly machine: LiveMachine }) {
  const { name, last_bad_end: bad, bad_job_count, job_count, wrapper_version, os } = machine;
  return (
    <article class="row machine" data-machine={name}>
      <div class="cell-name">
        <Link to={machinePath(name)} class="row-link" cursor>
          {name}
        </Link>
        <span class="aside machine-os" title={os ?? undefined}>
          {os ?? ''}
        </span>
      </div>
      <div class="cell-seen">
        <Seen machine={machine} />
      </div>
      <div class="cell-running">{openText(machine)}</div>
      <div class="cell-bad">
        {bad === null ? (
          <span class="aside">{job_count === 0 ? '' : `${countText(job_count, 'job')}, none failing`}</span>
        ) : (
          <>
            <Link to={runPath({ id: bad.run, job: bad.job })} class="machine-link">
              <StateBadge state={bad.state} note={bad.job} />
            </Link>
            <span class="aside">
              <Ago at={bad.ended_at} />
              {bad_job_count > 1 && `, ${bad_job_count} jobs in all`}
            </span>
          </>
        )}
      </div>
      <div class="cell-version aside">{wrapper_version === null ? '' : `leash ${wrapper_version}`}</div>
    </article>
  );
}

function openText({ running, waiting }: LiveMachine): string {
  return [running > 0 && `${running} running`, waiting > 0 && `${waiting} waiting`].filter(Boolean).join(', ');
}

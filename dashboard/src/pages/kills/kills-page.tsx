/** What was ordered, newest first, and how far it has come: as it goes on. */
import './kills.css';
import { useMemo, useRef } from 'preact/hooks';
import type { Command } from '#protocol/api';
import type { CommandState } from '#protocol/kill';
import { fetchWholeBatches } from '../../api/calls.ts';
import { useFocusKept } from '../../keyboard/focus-kept.ts';
import { useShortcuts } from '../../keyboard/shortcuts.ts';
import { Announcer } from '../../parts/announcer.tsx';
import { DensityToggle } from '../../parts/density.tsx';
import { useKeptCount } from '../../parts/kept-count.ts';
import { useKeptSet } from '../../parts/kept-set.ts';
import { progressText } from '../../parts/kill-bar.tsx';
import { batchText, commandText, hasFoundNothing, mannerText, matchText } from '../../parts/kill-labels.ts';
import { LinkBanner, LinkStatus } from '../../parts/link-status.tsx';
import { Notice } from '../../parts/notice.tsx';
import { usePageTitle } from '../../parts/page-title.ts';
import { MoreButton, Rows } from '../../parts/rows.tsx';
import { Ago } from '../../parts/time.tsx';
import { batchPath, commandPath, Link, narrow, query } from '../../router.tsx';
import { type Batch, stateOfBatch } from '../../state/batches.ts';
import { fleet, freshness, useFleet } from '../../state/fleet.ts';
import { useFresh } from '../../state/keep-fresh.ts';
import { commands, keepCommands } from '../../state/kills.ts';
import { createLister, type Listing } from '../../state/listing.ts';
import { type OrderProgress, orderProgress } from '../../state/order-progress.ts';
import { survivorsText } from '../../state/survivors.ts';
import { CommandStateBadge } from './kill-state.tsx';
import { type CommandListRow, listedIds, type Narrowing, newestFirst, readNarrowing, rowsOf } from './listed.ts';

const PAGE_SIZE = 50;
const ROW_PX = 84;

export function CommandsPage() {
  useFleet();
  usePageTitle('Commands – Leash');
  const heading = useRef<HTMLHeadingElement | null>(null);
  useFocusKept(heading);
  const narrowing = readNarrowing(query.value);
  const kept = useKeptCount();
  const list = useMemo(() => createCommandList(narrowing, kept.take()), [JSON.stringify(narrowing)]);
  const { lister } = list;
  useFresh(lister.reload);
  const listing = lister.state.value;
  kept.note(listing.items.length);
  list.shown = listedIds(list.shown, listing, commands.value, narrowing);
  const listed = newestFirst(list.shown, commands.value);
  // By the address, one order alone is shown with its parts.
  const toggled = useKeptSet('toggled');
  const opened = narrowing.batch === null ? toggled.value : new Set([narrowing.batch]);
  const toggle = (id: string) => {
    const next = new Set(toggled.value);
    if (!next.delete(id)) next.add(id);
    toggled.value = next;
  };
  return (
    <main class="page commands" aria-busy={listing.readAt === null}>
      <div class="page-head">
        <h1 ref={heading} tabIndex={-1}>
          Commands
        </h1>
        <LinkStatus freshness={freshness.value} />
      </div>
      <Narrow narrowing={narrowing} />
      {listing.failure !== null && (
        <Notice
          tone="bad"
          title="The commands cannot be loaded"
          action={{ label: 'Try again', run: () => void lister.reload() }}
        >
          {listing.failure.detail}
        </Notice>
      )}
      {listed.length > 0 && (
        <Rows items={rowsOf(listed, opened)} keyOf={rowKey} estimatePx={ROW_PX} label="Commands, newest first">
          {(row) =>
            row.kind === 'batch' ? (
              <BatchRow batch={row.batch} isOpen={row.isOpen} toggle={() => toggle(row.batch.id)} />
            ) : (
              <CommandRow command={row.command} isPart={row.isPart} />
            )
          }
        </Rows>
      )}
      {listed.length === 0 && listing.failure === null && <Nothing listing={listing} narrowing={narrowing} />}
      {listing.hasMore && <MoreButton lister={lister} />}
      <LatestChange key={JSON.stringify(narrowing)} listed={listed} />
      <LinkBanner freshness={freshness.value} />
    </main>
  );
}

/** One for each narrowing. */
function createCommandList({ job, states, batch }: Narrowing, least: number) {
  const fetchPage = async (cursor: string | null) => {
    const answer = await fetchWholeBatches({ job, state: states.join(','), batch, limit: PAGE_SIZE, cursor });
    if (answer.ok) keepCommands(answer.value.items);
    return answer;
  };
  const lister = createLister(fetchPage, { least });
  const shown: ReadonlySet<string> = new Set();
  return { lister, shown };
}

const SHOWN = [
  { label: 'All', state: null },
  { label: 'Under way', state: 'queued,delivered' },
  { label: 'Settled', state: 'settled' },
  { label: 'Expired', state: 'expired' },
] as const;

/** A list of names to choose from is of no use when it is longer than this. */
const OFFERED_JOBS = 500;

function Narrow({ narrowing }: { readonly narrowing: Narrowing }) {
  const field = useRef<HTMLInputElement | null>(null);
  useShortcuts([{ key: '/', does: 'Narrow to a job', run: () => field.current?.select() }]);
  const state = narrowing.states.length === 0 ? null : narrowing.states.join(',');
  return (
    <search class="narrowing">
      <input
        ref={field}
        type="search"
        list="jobs-known"
        aria-label="Only commands for this job"
        placeholder="Job: its whole name, then Enter"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        value={narrowing.job ?? ''}
        onChange={(event) => narrow({ job: event.currentTarget.value.trim() })}
      />
      <datalist id="jobs-known">
        {[...fleet.value.jobs.keys()].slice(0, OFFERED_JOBS).map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame that says nothing more */}
      <div class="chips" role="group" aria-label="Show">
        {SHOWN.map((shown) => (
          <button
            key={shown.label}
            type="button"
            class="chip"
            aria-pressed={state === shown.state}
            onClick={() => narrow({ state: shown.state })}
          >
            {shown.label}
          </button>
        ))}
        {narrowing.batch !== null && (
          <button type="button" class="chip" aria-pressed onClick={() => narrow({ batch: null })}>
            One order
          </button>
        )}
      </div>
      <DensityToggle />
    </search>
  );
}

function Nothing({ listing, narrowing }: { readonly listing: Listing<Command>; readonly narrowing: Narrowing }) {
  if (listing.readAt === null) {
    return (
      <p class="nothing" role="status">
        Loading commands…
      </p>
    );
  }
  if (narrowing.job === null && narrowing.states.length === 0 && narrowing.batch === null) {
    return (
      <p class="nothing" role="status">
        Nobody has ordered anything to stop yet. <Link to="/">See what runs</Link>: each run there has a Kill button, if
        your token may kill.
      </p>
    );
  }
  return (
    <p class="nothing" role="status">
      No command like that{narrowing.job !== null && ` for ${narrowing.job}`}.{' '}
      <button type="button" class="button quiet" onClick={() => narrow({ job: null, state: null, batch: null })}>
        Show all
      </button>
    </p>
  );
}

const WITHOUT_TARGETS: Readonly<Record<CommandState, string>> = {
  queued: 'no run looked for yet',
  delivered: 'no run found for it yet',
  settled: 'nothing was there to be ended',
  expired: 'no run was found for it',
};

function rowKey(row: CommandListRow): string {
  return row.kind === 'batch' ? `batch ${row.batch.id}` : row.command.id;
}

interface BatchRowProps {
  readonly batch: Batch;
  readonly isOpen: boolean;
  toggle(): void;
}

/** All that one order has made. */
function BatchRow({ batch, isOpen, toggle }: BatchRowProps) {
  const [first] = batch.commands;
  if (first === undefined) return null;
  const what = batchText(batch);
  return (
    <article class="list-row command" data-batch={batch.id}>
      <div class="command-how">
        <CommandStateBadge command={stateOfBatch(batch)} />
      </div>
      <div class="command-what">
        <Link to={batchPath(batch.id)} class="list-row-link" label={`Kill of ${what}`} cursor>
          {what}
        </Link>
        <button type="button" class="button quiet" aria-expanded={isOpen} onClick={toggle}>
          {isOpen ? 'Hide' : 'Show'} the {batch.commands.length} parts
        </button>
      </div>
      <Far progress={orderProgress(batch.commands)} />
      <Who command={first} />
    </article>
  );
}

interface CommandRowProps {
  readonly command: Command;
  readonly isPart: boolean;
}

function CommandRow({ command, isPart }: CommandRowProps) {
  const progress = orderProgress([command]);
  const isFound = command.targets.length > 0 || hasFoundNothing(command);
  return (
    <article
      class={isPart ? 'list-row command part' : 'list-row command'}
      data-command={command.id}
      data-state={command.state}
    >
      <div class="command-how">
        <CommandStateBadge command={command} />
      </div>
      <div class="command-what">
        <Link
          to={commandPath(command.id)}
          class="list-row-link"
          label={`Kill of ${command.job}, ${matchText(command)}`}
          cursor
        >
          {command.job}
        </Link>
        <span class="aside">{matchText(command)}</span>
      </div>
      <Far progress={progress} text={isFound ? null : WITHOUT_TARGETS[command.state]} />
      <Who command={command} />
    </article>
  );
}

interface FarProps {
  readonly progress: OrderProgress;
  /** In place of the progress. */
  readonly text?: string | null;
}

function Far({ progress, text = null }: FarProps) {
  return (
    <div class="command-far">
      {text ?? progressText(progress)}
      {progress.survivors.map((left) => (
        <strong key={left.machine} class="problem">
          Could not be ended on {left.machine}: {survivorsText(left)}
        </strong>
      ))}
    </div>
  );
}

function Who({ command }: { readonly command: Command }) {
  return (
    <>
      <div class="command-who">
        {command.requested_by}
        <span class="aside">{mannerText(command.signal, command.grace_ms, command.include)}</span>
        {command.reason !== null && <q class="aside">{command.reason}</q>}
      </div>
      <div class="command-when">
        <Ago at={command.requested_at} />
      </div>
    </>
  );
}

/** Says aloud what has become of a command, or that there is a new one, since the list was read. */
function LatestChange({ listed }: { readonly listed: readonly Command[] }) {
  const before = useRef<ReadonlyMap<string, string>>(new Map());
  const said = useRef('');
  const [newest = ''] = before.current.keys();
  const changed = listed.find(({ id, state }) => {
    const known = before.current.get(id);
    return known === undefined ? id > newest : known !== state;
  });
  if (changed !== undefined && before.current.size > 0) {
    said.current = `Kill of ${changed.job}: ${commandText(changed)}`;
  }
  before.current = new Map(listed.map(({ id, state }) => [id, state]));
  return <Announcer text={said.current} />;
}

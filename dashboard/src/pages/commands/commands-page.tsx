/** What was ordered, newest first, and how far it has come: as it goes on. */
import './commands.css';
import { useMemo, useRef } from 'preact/hooks';
import type { Command } from '#protocol/api';
import type { CommandState } from '#protocol/command';
import { fetchCommands } from '../../api/calls.ts';
import { useFocusKept } from '../../keyboard/focus-kept.ts';
import { useShortcuts } from '../../keyboard/shortcuts.ts';
import { Announcer } from '../../parts/announcer.tsx';
import { commandText, hasFoundNothing, mannerText, matchText } from '../../parts/command-words.ts';
import { progressText } from '../../parts/kill-bar.tsx';
import { LinkBanner, LinkStatus } from '../../parts/link-status.tsx';
import { Notice } from '../../parts/notice.tsx';
import { usePageTitle } from '../../parts/page-title.ts';
import { MoreButton, Rows } from '../../parts/rows.tsx';
import { Ago } from '../../parts/time.tsx';
import { commandPath, Link, narrow, query } from '../../router.tsx';
import { commands, keepCommands } from '../../state/commands.ts';
import { fleet, freshness, useFleet } from '../../state/fleet.ts';
import { useFresh } from '../../state/keep-fresh.ts';
import { createLister, type Listing } from '../../state/listing.ts';
import { orderProgress } from '../../state/order-progress.ts';
import { survivorsText } from '../../state/survivors.ts';
import { CommandStateBadge } from './command-state.tsx';
import { listedIds, type Narrowing, newestFirst, readNarrowing } from './listed.ts';

const PAGE_SIZE = 50;
const ROW_PX = 84;

export function CommandsPage() {
  useFleet();
  usePageTitle('Commands – Leash');
  const heading = useRef<HTMLHeadingElement | null>(null);
  useFocusKept(heading);
  const narrowing = readNarrowing(query.value);
  const list = useMemo(() => createCommandList(narrowing), [JSON.stringify(narrowing)]);
  const { lister } = list;
  useFresh(lister.reload);
  const listing = lister.state.value;
  list.shown = listedIds(list.shown, listing, commands.value, narrowing);
  const listed = newestFirst(list.shown, commands.value);
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
        <Rows items={listed} keyOf={({ id }) => id} estimatePx={ROW_PX} label="Commands, newest first">
          {(command) => <CommandRow command={command} />}
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
function createCommandList({ job, states }: Narrowing) {
  const lister = createLister(async (cursor) => {
    const answer = await fetchCommands({ job, state: states.join(','), limit: PAGE_SIZE, cursor });
    if (answer.ok) keepCommands(answer.value.items);
    return answer;
  });
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
      </div>
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
  if (narrowing.job === null && narrowing.states.length === 0) {
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
      <button type="button" class="button quiet" onClick={() => narrow({ job: null, state: null })}>
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

function CommandRow({ command }: { readonly command: Command }) {
  const progress = orderProgress([command]);
  return (
    <article class="list-row command" data-command={command.id} data-state={command.state}>
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
      <div class="command-far">
        {command.targets.length > 0 || hasFoundNothing(command)
          ? progressText(progress)
          : WITHOUT_TARGETS[command.state]}
        {progress.survivors.map((left) => (
          <strong key={left.machine} class="problem">
            Could not be ended on {left.machine}: {survivorsText(left)}
          </strong>
        ))}
      </div>
      <div class="command-who">
        {command.requested_by}
        <span class="aside">{mannerText(command.signal, command.grace_ms)}</span>
        {command.reason !== null && <q class="aside">{command.reason}</q>}
      </div>
      <div class="command-when">
        <Ago at={command.requested_at} />
      </div>
    </article>
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

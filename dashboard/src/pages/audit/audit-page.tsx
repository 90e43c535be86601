/** Who did what, from where, when; and what was refused to whom. */
import './audit.css';
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { AUDIT_ACTIONS, type AuditAction, type AuditEntry, type Token } from '#protocol/api';
import { fetchAudit, fetchKills, fetchTokens } from '../../api/calls.ts';
import { CopyButton } from '../../components/copy-button.tsx';
import { DensityToggle } from '../../components/density.tsx';
import { LinkBanner } from '../../components/link-status.tsx';
import { Notice } from '../../components/notice.tsx';
import { MoreButton, Rows } from '../../components/rows.tsx';
import { Clock } from '../../components/time.tsx';
import { useKeptCount } from '../../hooks/kept-count.ts';
import { useKeptSet } from '../../hooks/kept-set.ts';
import { usePageTitle } from '../../hooks/page-title.ts';
import { useFocusFallback } from '../../keyboard/focus-fallback.ts';
import { jobPath, killPath, Link, query, runPath, setFilter } from '../../router.tsx';
import { openRuns, syncStatus, useFleet } from '../../state/fleet.ts';
import { kills, upsertKills } from '../../state/kills.ts';
import { createLister, type Lister } from '../../state/listing.ts';
import { type RunName, refOf } from '../../state/run-ref.ts';
import { useReload } from '../../state/use-reload.ts';
import { ADMIN_TOKEN_ID, actorChoices, namesOf, unnamed } from './names.ts';
import { type AuditFilter, newerKills } from './newer.ts';
import { sentenceOf } from './sentences.ts';

const PAGE_SIZE = 50;
const ROW_PX = 64;
/** As many of the last ones as one call brings. */
const KNOWN_KILLS = 200;

export function AuditPage() {
  useFleet();
  usePageTitle('Audit log – Leash');
  const heading = useRef<HTMLHeadingElement | null>(null);
  useFocusFallback(heading);
  const filter = readFilter(query.value);
  const kept = useKeptCount();
  const lister = useMemo(
    () => createLister((cursor) => fetchAudit({ ...filter, limit: PAGE_SIZE, cursor }), { least: kept.take() }),
    [JSON.stringify(filter)],
  );
  useReload(lister.reload);
  useReload(readKills);
  const { items, readAt, hasMore, failure } = lister.state.value;
  kept.note(items.length);
  const names = useNames(items);
  const open = useKeptSet('open');
  const toggle = (id: string) => {
    const next = new Set(open.peek());
    if (!next.delete(id)) next.add(id);
    open.value = next;
  };
  return (
    <main class="page audit" aria-busy={readAt === null}>
      <div class="page-head">
        <h1 ref={heading} tabIndex={-1}>
          Audit log
        </h1>
        <AsOf lister={lister} filter={filter} />
      </div>
      <Filters filter={filter} names={names} />
      {failure !== null && (
        <Notice
          tone="bad"
          title="Couldn’t load the audit log"
          action={{ label: 'Try again', run: () => void lister.reload() }}
        >
          {failure.detail}
        </Notice>
      )}
      {items.length > 0 && (
        <Rows items={items} keyOf={({ id }) => id} estimatePx={ROW_PX} label="Entries, newest first">
          {(entry) => (
            <EntryRow entry={entry} names={names} isOpen={open.value.has(entry.id)} toggle={() => toggle(entry.id)} />
          )}
        </Rows>
      )}
      {items.length === 0 && failure === null && <Nothing isRead={readAt !== null} filter={filter} />}
      {hasMore && <MoreButton lister={lister} />}
      <LinkBanner status={syncStatus.value} />
    </main>
  );
}

/** Kill entries name a run only by its id; its machine comes from the kill, or from the open run. */
async function readKills(): Promise<void> {
  const answer = await fetchKills({ job: null, state: '', limit: KNOWN_KILLS, cursor: null });
  // Without them there are ids in place of some machines; the list itself reports a failure.
  if (answer.ok) upsertKills(answer.value.items);
}

function machineOf(run: RunName, kill: string): string | null {
  const target = kills.value.get(kill)?.targets.find((each) => each.run === run.id);
  return target?.machine ?? openRuns.value.get(refOf(run))?.machine ?? null;
}

function readFilter(from: URLSearchParams): AuditFilter {
  const action = from.get('action');
  return {
    actor: from.get('actor'),
    action: AUDIT_ACTIONS.find((known) => known === action) ?? null,
    subject: from.get('subject'),
  };
}

/** Names found neither in the tokens nor in these entries come from the entry that created the token. */
function useNames(entries: readonly AuditEntry[]): ReadonlyMap<string, string> {
  const tokens = useSignal<readonly Token[]>([]);
  const isRead = useSignal(false);
  const past = useSignal<readonly AuditEntry[]>([]);
  const asked = useRef(new Set<string>());
  useEffect(() => {
    void fetchTokens().then((answer) => {
      // Without them there are ids in place of some names; the list itself reports a failure.
      if (answer.ok) tokens.value = answer.value.items;
      isRead.value = true;
    });
  }, []);
  const names = namesOf(tokens.value, [...past.value, ...entries]);
  const missing = isRead.value ? unnamed(entries, names).join(' ') : '';
  useEffect(() => {
    for (const subject of missing.split(' ')) {
      if (subject === '' || asked.current.has(subject)) continue;
      asked.current.add(subject);
      void fetchAudit({ subject, action: 'token_created', limit: 1 }).then((answer) => {
        if (answer.ok) past.value = [...past.peek(), ...answer.value.items];
      });
    }
  }, [missing]);
  return names;
}

interface AsOfProps {
  readonly lister: Lister<AuditEntry>;
  readonly filter: AuditFilter;
}

/** The list doesn't change while it is read; newer entries are offered. */
function AsOf({ lister, filter }: AsOfProps) {
  const { items, readAt, isBusy } = lister.state.value;
  if (readAt === null) return <p class="as-of" />;
  const newer = newerKills(items, readAt, kills.value, filter);
  return (
    <div class="as-of">
      <p role="status">
        As of <Clock at={new Date(readAt).toISOString()} />
        {newer > 0 && <strong class="newer"> · {newer === 1 ? '1 newer kill' : `${newer} newer kills`}</strong>}
      </p>
      <button
        type="button"
        class={newer > 0 ? 'button primary' : 'button quiet'}
        aria-disabled={isBusy}
        onClick={() => void lister.reload()}
      >
        {newer > 0 ? 'Load new entries' : 'Refresh'}
      </button>
    </div>
  );
}

const ACTION_NAMES: Readonly<Record<AuditAction, string>> = {
  kill: 'Kills',
  brake_created: 'Brakes set',
  brake_ended: 'Brakes ended',
  token_created: 'Tokens created',
  token_rotated: 'Tokens rotated',
  token_deleted: 'Tokens deleted',
  alert_created: 'Alerts created',
  alert_changed: 'Alerts changed',
  alert_deleted: 'Alerts deleted',
  alert_tested: 'Alerts tested',
  signed_in: 'Sign-ins',
  signed_out: 'Sign-outs',
  expectation_set: 'Expectations set',
  expectation_removed: 'Expectations removed',
  refused: 'Denied requests',
  run_conflict: 'Run id conflicts',
};

/** Who acted, where no token is known. */
const NOBODY_NAMES: Partial<Record<AuditAction, string>> = {
  refused: 'Anonymous',
  run_conflict: 'The control plane',
};

interface FiltersProps {
  readonly filter: AuditFilter;
  readonly names: ReadonlyMap<string, string>;
}

function Filters({ filter, names }: FiltersProps) {
  const { actor, action, subject } = filter;
  const known = new Map(names);
  if (!known.has(ADMIN_TOKEN_ID)) known.set(ADMIN_TOKEN_ID, 'admin');
  if (actor !== null && !known.has(actor)) known.set(actor, actor);
  return (
    <search class="filters">
      <label for="audit-action">Action</label>
      <select
        id="audit-action"
        value={action ?? ''}
        onChange={(event) => setFilter({ action: event.currentTarget.value })}
      >
        <option value="">All actions</option>
        {AUDIT_ACTIONS.map((name) => (
          <option key={name} value={name}>
            {ACTION_NAMES[name]}
          </option>
        ))}
      </select>
      <label for="audit-actor">By</label>
      <select
        id="audit-actor"
        value={actor ?? ''}
        onChange={(event) => setFilter({ actor: event.currentTarget.value })}
      >
        <option value="">Anyone</option>
        {actorChoices(known).map(({ id, label }) => (
          <option key={id} value={id}>
            {label}
          </option>
        ))}
      </select>
      {subject !== null && (
        <button type="button" class="chip" aria-pressed={true} onClick={() => setFilter({ subject: null })}>
          About {known.get(subject) ?? subject}
          <span aria-hidden="true">×</span>
          <span class="visually-hidden">: clear filter</span>
        </button>
      )}
      <DensityToggle />
    </search>
  );
}

function Nothing({ isRead, filter }: { readonly isRead: boolean; readonly filter: AuditFilter }) {
  if (!isRead) {
    return (
      <p class="nothing" role="status">
        Loading the audit log…
      </p>
    );
  }
  const isFiltered = filter.actor !== null || filter.action !== null || filter.subject !== null;
  return (
    <p class="nothing" role="status">
      {isFiltered
        ? 'No matching entries.'
        : 'No entries yet. Kills, token changes, sign-ins and denied requests appear here.'}{' '}
      {isFiltered && (
        <button
          type="button"
          class="button quiet"
          onClick={() => setFilter({ actor: null, action: null, subject: null })}
        >
          Clear filter
        </button>
      )}
    </p>
  );
}

interface EntryRowProps {
  readonly entry: AuditEntry;
  readonly names: ReadonlyMap<string, string>;
  readonly isOpen: boolean;
  toggle(): void;
}

function EntryRow({ entry, names, isOpen, toggle }: EntryRowProps) {
  const { actor } = entry;
  const { deed, tone, until, job, kill, run } = sentenceOf(entry, {
    token: (id) => names.get(id) ?? null,
    machineOf,
  });
  return (
    <article class="row text audit-entry" data-entry={entry.id} data-action={entry.action}>
      <div class="audit-when">
        <Clock at={entry.at} />
      </div>
      <div class="audit-what">
        <p data-tone={tone}>
          {actor === null ? (
            <strong>{NOBODY_NAMES[entry.action] ?? 'Unknown'}</strong>
          ) : (
            <button
              type="button"
              class="actor"
              title={`Show only entries by ${actor.name}`}
              onClick={() => setFilter({ actor: actor.id })}
            >
              {actor.name}
            </button>
          )}{' '}
          {deed}
          {until !== null && (
            <>
              {' '}
              {until.words} <Clock at={until.at} />
            </>
          )}
          {entry.count > 1 && (
            <>
              , {entry.count} times, last <Clock at={entry.last_at} />
            </>
          )}
        </p>
      </div>
      <div class="audit-links">
        {run !== null && job !== null && <Link to={runPath({ id: run, job })}>Run</Link>}
        {kill !== null && <Link to={killPath(kill)}>Kill</Link>}
        {job !== null && <Link to={jobPath(job)}>Job</Link>}
        <button type="button" class="button quiet" data-cursor aria-expanded={isOpen} onClick={toggle}>
          Details
        </button>
      </div>
      {isOpen && <Details entry={entry} />}
    </article>
  );
}

const SUBJECT_NAMES: Partial<Record<AuditAction, string>> = {
  refused: 'Call',
  kill: 'Job',
  expectation_set: 'Job',
  expectation_removed: 'Job',
  run_conflict: 'Job',
};

function Details({ entry }: { readonly entry: AuditEntry }) {
  const { address, request_id, subject, action, detail, at, last_at } = entry;
  return (
    <dl class="audit-details">
      <Detail name="From">{address === null ? 'unknown address' : <code>{address}</code>}</Detail>
      {request_id !== '' && (
        <Detail name="Request ID">
          <code>{request_id}</code> <CopyButton text={request_id} label="Copy the request ID" />
        </Detail>
      )}
      <Detail name="Time">
        <code>{at}</code>
        {last_at !== at && (
          <>
            {' '}
            to <code>{last_at}</code>
          </>
        )}
      </Detail>
      <Detail name={SUBJECT_NAMES[action] ?? 'Token'}>
        <code>{subject}</code>{' '}
        <button type="button" class="button quiet" onClick={() => setFilter({ subject })}>
          Filter by this
        </button>
      </Detail>
      {Object.entries(detail)
        .filter(([, value]) => value !== null)
        .map(([name, value]) => (
          <Detail key={name} name={name}>
            <code>{typeof value === 'string' ? value : JSON.stringify(value)}</code>
          </Detail>
        ))}
    </dl>
  );
}

function Detail({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

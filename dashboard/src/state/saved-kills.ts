/**
 * The kills requested from this tab, saved across reloads: a phone reloads the pages that it had put away, and the reader
 * must still learn whether a kill was stored.
 */
import * as v from 'valibot';
import { KillRequest, Run, type Session } from '#protocol/api';

const KEY = 'leash.kills';

const NamedRun = v.pick(Run, ['id', 'job', 'machine']);
const NamedRuns = v.pipe(v.array(NamedRun), v.readonly());
const Ids = v.pipe(v.array(v.string()), v.readonly());

/** A retry must send the same body, to the letter: no defaults are filled in. */
const { signal, grace_seconds, include, reason } = KillRequest.entries;
const KillOptions = v.object({
  signal: v.exactOptional(signal.wrapped),
  grace_seconds: v.exactOptional(grace_seconds.wrapped),
  include: v.exactOptional(include.wrapped),
  reason: v.exactOptional(reason.wrapped),
});

const Failure = v.variant('kind', [
  v.object({ kind: v.literal('problem'), status: v.number(), code: v.string(), detail: v.string() }),
  v.object({ kind: v.literal('unreachable'), detail: v.string() }),
  v.object({ kind: v.literal('unreadable'), detail: v.string() }),
]);

const PendingKill = v.object({
  id: v.string(),
  scope: v.variant('kind', [
    v.object({ kind: v.literal('runs'), runs: NamedRuns }),
    v.object({ kind: v.literal('job'), job: v.string(), runs: NamedRuns }),
  ]),
  options: KillOptions,
  state: v.variant('kind', [
    v.object({ kind: v.literal('sending') }),
    // `kills`: those that were stored before the failure.
    v.object({ kind: v.literal('failed'), failure: Failure, kills: Ids }),
    v.object({ kind: v.literal('stored'), kills: Ids }),
  ]),
});

/** What a pending kill keeps of a run. */
export type NamedRun = v.InferOutput<typeof NamedRun>;
/** How the runs are ended, and why. */
export type KillOptions = v.InferOutput<typeof KillOptions>;
/** A kill that was requested here, with its idempotency key as id. For many runs it is several kills. */
export type PendingKill = Readonly<v.InferOutput<typeof PendingKill>>;

const Saved = v.object({ owner: v.string(), kills: v.array(PendingKill) });

/** @param who whose kills they are: nobody else is shown them */
export function saveKills(kills: readonly PendingKill[], who: Session): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ owner: ownerOf(who), kills }));
  } catch {
    // The browser refused, or its quota is exceeded: a reload must not show an older state either. "Kills" lists them all.
    clearSavedKills();
  }
}

export function clearSavedKills(): void {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // The browser refuses storage: nothing was saved.
  }
}

/** None if they were saved for another session, or can't be read. */
export function readSavedKills(who: Session): readonly PendingKill[] {
  let text: string | null;
  try {
    text = sessionStorage.getItem(KEY);
  } catch {
    // The browser refuses storage.
    return [];
  }
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), Saved), text);
  return parsed.success && parsed.output.owner === ownerOf(who) ? parsed.output.kills : [];
}

function ownerOf({ name, scopes, jobs }: Session): string {
  return JSON.stringify([name, scopes, jobs]);
}

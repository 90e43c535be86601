/** What is still unsent on this machine, and who could send it. */
import type { ControlPlane } from '../config/control-plane.ts';
import type { ListedRun } from '../state/run-listing.ts';
import { isBeingSent, isToBeSent, listRuns } from '../state/run-listing.ts';
import type { State } from '../state/state-directory.ts';

export interface UnsentRuns {
  /** Ids of runs that are ours to send, and that no process has at the moment. */
  readonly waiting: readonly string[];
  /** How many runs another process is sending, to any control plane. */
  readonly beingSent: number;
  readonly foreign: readonly ForeignRuns[];
  readonly unreadable: readonly UnreadableRun[];
}

/** Runs that belong to another control plane. */
export interface ForeignRuns {
  readonly count: number;
  /** For `--url`. */
  readonly url: string;
  /** Null when the token came from the environment. */
  readonly tokenFile: string | null;
}

/** A run whose record this version can't read. */
export interface UnreadableRun {
  readonly run: string;
  readonly path: string;
  /** `newer`, `older`: that version of leash wrote it, and can send it. */
  readonly kind: Exclude<ListedRun['facts']['kind'], 'read'>;
}

/** Never fails. */
export async function findUnsentRuns({ directory, processes }: State, controlPlane: ControlPlane): Promise<UnsentRuns> {
  const listed = await listRuns(directory, processes);
  return {
    waiting: listed.filter((each) => isToBeSent(each, controlPlane, processes)).map(({ run }) => run),
    beingSent: listed.filter((each) => isBeingSent(each, processes)).length,
    foreign: foreignRunsIn(listed, controlPlane),
    unreadable: listed.flatMap(unreadableRun),
  };
}

function foreignRunsIn(listed: readonly ListedRun[], { baseUrl }: ControlPlane): ForeignRuns[] {
  const found = new Map<string, ForeignRuns>();
  for (const { facts, free, uploaded } of listed) {
    if (!free || uploaded || facts.kind !== 'read') continue;
    const { control_plane: target } = facts.value;
    if (target === null || target.url === baseUrl) continue;
    const key = JSON.stringify([target.url, target.token_file]);
    const count = (found.get(key)?.count ?? 0) + 1;
    found.set(key, { count, url: target.url.replace(/^ws/, 'http'), tokenFile: target.token_file });
  }
  return [...found.values()];
}

/** Not while a process owns it: it may be about to be removed. */
function unreadableRun({ run, path, free, facts }: ListedRun): UnreadableRun[] {
  return free && facts.kind !== 'read' ? [{ run, path, kind: facts.kind }] : [];
}

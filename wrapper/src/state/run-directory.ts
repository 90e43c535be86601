/** A run's directory: its facts, its end, its output and its owner. Only the owner has a `RunDirectory`. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { KIB } from '#protocol/limits';
import { hasCode } from '../host/error-code.ts';
import { describeError } from '../logging/log.ts';
import { SegmentList } from '../spool/segment-list.ts';
import { stateRoots } from './fallback-directory.ts';
import {
  deleteAtomically,
  failureWithin,
  listNames,
  makeDirectory,
  readJson,
  syncPath,
  transientPath,
  writeFileAtomically,
} from './files.ts';
import { acquireOwnership, closeLifeSign, createOwned, type Processes, releaseOwnership } from './owner.ts';
import {
  FORMAT_VERSION,
  type RunEnd,
  type RunFacts,
  readDropped,
  readEnd,
  readFacts,
  type Supervision,
} from './run-file.ts';

export const FACTS_FILE = 'run.json';
export const END_FILE = 'end.json';
export const UPLOADED_FILE = 'uploaded';
/** Reserves room for the end, and becomes it. */
const RESERVE_FILE = 'end.reserve';
/** More than an end needs that has dozens of kills and of processes left running. */
const RESERVE_BYTES = 16 * KIB;
/** Where the output ended, once it was given up. */
const DROPPED_FILE = 'dropped.json';
/** Most runs that end before this leave nothing on disk, and need no sync. */
const SYNC_AFTER_MS = 5_000;

/** Null on success, else the reason for the failure. */
export type Outcome = Promise<string | null>;

export class RunDirectory {
  readonly path: string;
  readonly #processes: Processes;
  #facts: RunFacts;
  #sync: NodeJS.Timeout | null = null;

  /** Only for `createRunDirectory` and `claim`, which make sure that the directory is ours. */
  constructor(directory: string, facts: RunFacts, processes: Processes) {
    this.path = directory;
    this.#facts = facts;
    this.#processes = processes;
  }

  get facts(): RunFacts {
    return this.#facts;
  }

  /** The state directory that it is in. */
  get root(): string {
    return path.dirname(path.dirname(this.path));
  }

  /** Records that this process supervises the run from now on, and how. Throws file system errors. */
  async takeOver(supervision: Supervision): Promise<void> {
    this.#facts = { ...this.#facts, wrapper: this.#processes.self, supervision };
    await writeFileAtomically(path.join(this.path, FACTS_FILE), JSON.stringify(this.#facts));
  }

  /** Makes sure, in the background, that the run is still known after a loss of power. */
  syncSoon(): void {
    this.#sync = setTimeout(() => {
      void Promise.all([
        syncPath(path.join(this.path, FACTS_FILE)),
        syncPath(this.path),
        syncPath(path.dirname(this.path)),
      ]);
    }, SYNC_AFTER_MS);
    this.#sync.unref();
  }

  /**
   * How the run ended; null when that isn't known.
   *
   * @throws file system errors when the end exists but can't be read now: the run must not be reported as lost
   */
  async readEnd(): Promise<RunEnd | null> {
    const text = await fs.readFile(path.join(this.path, END_FILE), 'utf8').catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return null;
      throw error;
    });
    const read = text === null ? null : readEnd(text);
    return read?.kind === 'read' ? read.value : null;
  }

  /**
   * Writes how the run ended, even on a disk that is full by now; where the disk is fast enough, also synced. Takes no
   * longer than twice `timeLimitMs`.
   */
  async writeEnd(end: Omit<RunEnd, 'version'>, timeLimitMs: number): Outcome {
    const file = path.join(this.path, END_FILE);
    const why = await failureWithin(
      timeLimitMs,
      this.#replaceEnd(JSON.stringify({ version: FORMAT_VERSION, ...end } satisfies RunEnd)),
    );
    // A busy disk may need seconds for this. The file outlives this process anyway.
    if (why === null)
      await failureWithin(
        timeLimitMs,
        syncPath(file).then(() => syncPath(this.path)),
      );
    return why;
  }

  /**
   * Everything is stored at the control plane, but the command is still running: deletes the output, and keeps what is
   * needed to find the command.
   */
  async markUploaded(): Outcome {
    try {
      await fs.writeFile(path.join(this.path, UPLOADED_FILE), '', { mode: 0o600 });
      await this.#deleteSegments();
      return null;
    } catch (error) {
      return describeError(error);
    }
  }

  /**
   * Deletes the output, and records where it ended, so that it can be reported as missing.
   *
   * @throws file system errors
   */
  async dropOutput(finalOffset: number): Promise<void> {
    await writeFileAtomically(
      path.join(this.path, DROPPED_FILE),
      JSON.stringify({ version: FORMAT_VERSION, final_offset: finalOffset }),
    );
    await this.#deleteSegments();
  }

  /**
   * Where the output ended; null when only the output on disk shows that.
   *
   * @throws file system errors when the end exists but can't be read now
   */
  async finalOffset(): Promise<number | null> {
    const end = await this.readEnd();
    if (end !== null) return end.complete.final_offset;
    const dropped = await readJson(path.join(this.path, DROPPED_FILE), readDropped);
    return dropped.kind === 'read' ? dropped.value.final_offset : null;
  }

  /** Makes it free for another process to claim. */
  async release(): Promise<void> {
    this.#stopSync();
    await releaseOwnership(this.path, this.#processes);
  }

  /** Deletes it. */
  async remove(): Outcome {
    this.#stopSync();
    try {
      await deleteAtomically(this.path, this.#processes.self);
      await closeLifeSign(this.path, this.#processes.self);
      return null;
    } catch (error) {
      return describeError(error);
    }
  }

  async #replaceEnd(text: string): Promise<void> {
    const file = path.join(this.path, END_FILE);
    const reserve = path.join(this.path, RESERVE_FILE);
    try {
      await overwrite(reserve, text);
      await fs.rename(reserve, file);
    } catch {
      // ENOENT: there was no room for it. ENOSPC: the end is longer, or the file system
      // writes elsewhere what it overwrites: then this makes room.
      await fs.rm(reserve, { force: true });
      await writeFileAtomically(file, text);
    }
  }

  async #deleteSegments(): Promise<void> {
    const segments = await SegmentList.ofDirectory(this.path);
    for (const segment of segments) await fs.rm(segment.path, { force: true });
  }

  #stopSync(): void {
    if (this.#sync !== null) clearTimeout(this.#sync);
    this.#sync = null;
  }
}

async function overwrite(file: string, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  const handle = await fs.open(file, 'r+');
  try {
    await handle.write(bytes, 0, bytes.length, 0);
    await handle.truncate(bytes.length);
  } finally {
    await handle.close();
  }
}

/** Uses disk space now, so that there is room for the end. Never fails. */
async function reserveEnd(directory: string): Promise<void> {
  const file = path.join(directory, RESERVE_FILE);
  try {
    // Zeros may use no space.
    await fs.writeFile(file, randomBytes(RESERVE_BYTES), { flag: 'wx', mode: 0o600 });
  } catch {
    // ENOSPC: the part that was written is all there is room for.
  }
}

/** The directory of all runs in a state directory. */
export function runsIn(stateDirectory: string): string {
  return path.join(stateDirectory, 'runs');
}

/** The directory of a run, on disk or in memory; null when there is none. */
export async function runDirectory(stateDirectory: string, run: string): Promise<string | null> {
  for (const root of await stateRoots(stateDirectory)) {
    const directory = path.join(runsIn(root), run);
    if ((await listNames(directory)).length > 0) return directory;
  }
  return null;
}

export type Created =
  | { readonly kind: 'created'; readonly directory: RunDirectory }
  | { readonly kind: 'failed'; readonly why: string };

/** Creates the directory of a new run, owned by this process from the beginning. Never fails. */
export async function createRunDirectory(
  stateDirectory: string,
  facts: Omit<RunFacts, 'version' | 'wrapper'>,
  processes: Processes,
): Promise<Created> {
  const runs = runsIn(stateDirectory);
  const whole: RunFacts = { ...facts, version: FORMAT_VERSION, wrapper: processes.self };
  const aside = transientPath(runs, processes.self);
  const directory = new RunDirectory(path.join(runs, facts.run), whole, processes);
  try {
    await makeDirectory(runs);
    await fs.mkdir(aside, { mode: 0o700 });
    await fs.writeFile(path.join(aside, FACTS_FILE), JSON.stringify(whole), { flag: 'wx', mode: 0o600 });
    await createOwned(aside, processes, directory.path);
    if (whole.control_plane !== null) await reserveEnd(aside);
    await fs.rename(aside, directory.path);
  } catch (error) {
    await fs.rm(aside, { recursive: true, force: true }).catch(() => {});
    await closeLifeSign(directory.path, processes.self);
    return { kind: 'failed', why: describeError(error) };
  }
  directory.syncSoon();
  return { kind: 'created', directory };
}

/**
 * Acquires a run's directory, unless its owner is alive. Of many processes that try, exactly one succeeds.
 *
 * @returns null when it isn't ours
 */
export async function claim(directory: string, processes: Processes): Promise<RunDirectory | null> {
  if (!(await acquireOwnership(directory, processes))) return null;
  const facts = await readJson(path.join(directory, FACTS_FILE), readFacts);
  if (facts.kind === 'read') return new RunDirectory(directory, facts.value, processes);
  await releaseOwnership(directory, processes);
  return null;
}

/** A run's own directory: what it is, how it ended, its output, and whose it is. Only its owner holds a `RunDirectory`. */
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
/** Becomes the end: room for it, while there is some. */
const RESERVE_FILE = 'end.reserve';
/** More than an end takes that has dozens of kills and of processes left running. */
const RESERVE_BYTES = 16 * KIB;
/** Where output ended that was given up. */
const DROPPED_FILE = 'dropped.json';
/** A run that is over by then leaves nothing behind, and need not have waited for the disk. */
const SYNC_AFTER_MS = 5_000;

/** Null when it was done, else why not. */
export type Outcome = Promise<string | null>;

export class RunDirectory {
  readonly path: string;
  readonly #processes: Processes;
  #facts: RunFacts;
  #sync: NodeJS.Timeout | null = null;

  /** Not to be called from elsewhere: `createRunDirectory` and `claim` make sure that it is ours. */
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

  /** The run is supervised in another way from now on, and by this process. Throws what the file system says. */
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
   * How the run ended; null when nobody knows.
   *
   * @throws what the file system says of an end that is there and can't be read now: the run is not to be told as lost
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
   * Keeps how the run ended, also on a disk that is full by now; where it is quick enough, to survive a loss of power as
   * well. Takes no longer than twice `timeLimitMs`.
   */
  async writeEnd(end: Omit<RunEnd, 'version'>, timeLimitMs: number): Outcome {
    const file = path.join(this.path, END_FILE);
    const why = await failureWithin(
      timeLimitMs,
      this.#replaceEnd(JSON.stringify({ version: FORMAT_VERSION, ...end } satisfies RunEnd)),
    );
    // A busy disk may take seconds for this. What is written outlives us without.
    if (why === null)
      await failureWithin(
        timeLimitMs,
        syncPath(file).then(() => syncPath(this.path)),
      );
    return why;
  }

  /**
   * All of it is stored at the control plane, but the command still lives: the output goes, and what is needed to find
   * the command stays.
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
   * The output is given up, and where it ended is kept, so that it can be told as missing.
   *
   * @throws what the file system says
   */
  async dropOutput(finalOffset: number): Promise<void> {
    await writeFileAtomically(
      path.join(this.path, DROPPED_FILE),
      JSON.stringify({ version: FORMAT_VERSION, final_offset: finalOffset }),
    );
    await this.#deleteSegments();
  }

  /**
   * Where the output ended; null when only what is on disk tells.
   *
   * @throws what the file system says of an end that can't be read now
   */
  async finalOffset(): Promise<number | null> {
    const end = await this.readEnd();
    if (end !== null) return end.complete.final_offset;
    const dropped = await readJson(path.join(this.path, DROPPED_FILE), readDropped);
    return dropped.kind === 'read' ? dropped.value.final_offset : null;
  }

  /** Leaves it to whoever comes next. */
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

/** Takes up room on the disk now, so that it is there at the end. Never fails. */
async function reserveEnd(directory: string): Promise<void> {
  const file = path.join(directory, RESERVE_FILE);
  try {
    // Zeros may take up none.
    await fs.writeFile(file, randomBytes(RESERVE_BYTES), { flag: 'wx', mode: 0o600 });
  } catch {
    // ENOSPC: what has been written of it is as much as there is.
  }
}

/** Where the runs are in a state directory. */
export function runsIn(stateDirectory: string): string {
  return path.join(stateDirectory, 'runs');
}

/** The directory of a run, wherever its state directory keeps it; null when there is none. */
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

/** Makes the directory of a new run, ours from the beginning. Never fails. */
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
 * Makes a run's directory ours, unless it belongs to a process that lives. Of many that try exactly one gets it.
 *
 * @returns null when it is not ours
 */
export async function claim(directory: string, processes: Processes): Promise<RunDirectory | null> {
  if (!(await acquireOwnership(directory, processes))) return null;
  const facts = await readJson(path.join(directory, FACTS_FILE), readFacts);
  if (facts.kind === 'read') return new RunDirectory(directory, facts.value, processes);
  await releaseOwnership(directory, processes);
  return null;
}

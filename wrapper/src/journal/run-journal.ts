/**
 * What a successor needs to know of a run, in files in memory, which outlive the wrapper. The run's directory on disk is
 * no place for it: a disk may be slow, and every byte would have to be written there first.
 */
import fs from 'node:fs';
import path from 'node:path';
import * as v from 'valibot';
import type { OutputFrame, StreamName } from '#protocol/output-frame';
import { isMemoryFree, MEMORY } from '../host/memory-directory.ts';
import { pathOwnersSync } from '../host/path-owners.ts';
import { describeError, type Log } from '../logging/log.ts';
import type { ProcessRef } from '../processes/process-ref.ts';
import { formatProcessRef, parseProcessRef } from '../processes/process-ref.ts';
import type { Processes } from '../state/owner.ts';
import { EMPTY_CHECKPOINT, RunCheckpoint } from './checkpoint.ts';
import { type JournalledOutput, OutputJournal, readOutputJournal } from './output-journal.ts';

const PREFIX = 'leash-journal-';
const CHECKPOINT_FILE = 'checkpoint.json';
const HELD_FILE = 'held.json';

/** Bytes of each stream that were read and are held back, because they may become a secret. */
const Held = v.object({ stdout: v.string(), stderr: v.string() });
export type HeldBytes = Readonly<Record<StreamName, Uint8Array>>;
export const NOTHING_HELD: HeldBytes = { stdout: new Uint8Array(0), stderr: new Uint8Array(0) };

export class RunJournal {
  readonly path: string;
  readonly #log: Log;
  readonly #output: OutputJournal;
  #holdsBack = false;
  #hasFailed = false;

  /**
   * @param base where the output begins, as far as this journal is concerned
   * @param held the output that is there already, from `base` on
   * @throws file system errors
   */
  constructor(directory: string, base: number, held: Iterable<OutputFrame>, log: Log) {
    this.path = directory;
    this.#log = log;
    this.#output = new OutputJournal(directory, base, held);
  }

  get output(): OutputJournal {
    return this.#output;
  }

  /** Never throws. */
  saveCheckpoint(checkpoint: RunCheckpoint): void {
    this.#logFirstFailure(writeJson(this.path, CHECKPOINT_FILE, checkpoint));
  }

  /** Never throws. */
  saveHeld({ stdout, stderr }: HeldBytes): void {
    const holdsBack = stdout.length > 0 || stderr.length > 0;
    if (!holdsBack && !this.#holdsBack) return;
    this.#holdsBack = holdsBack;
    const content: v.InferOutput<typeof Held> = { stdout: base64(stdout), stderr: base64(stderr) };
    this.#logFirstFailure(writeJson(this.path, HELD_FILE, content));
  }

  /** Removes the journal of a run that needs no successor any more. Never throws. */
  remove(): void {
    this.#output.close();
    removeJournal(this.path);
  }

  #logFirstFailure(why: string | null): void {
    if (why === null || this.#hasFailed) return;
    this.#hasFailed = true;
    this.#log.info(`the journal of this run is incomplete: ${why}`);
  }
}

/**
 * Whether no other user can have created this journal: ours may have been removed, and others can read its name. Never
 * throws.
 */
export function isOurs(directory: string): boolean {
  return tryOrNull(() => pathOwnersSync(directory))?.kind === 'ours';
}

/** For a run whose wrapper is gone. Never throws. */
export function saveCheckpointIn(directory: string, checkpoint: RunCheckpoint): void {
  if (isOurs(directory)) writeJson(directory, CHECKPOINT_FILE, checkpoint);
}

/** @returns null, or why it could not be written: the memory is full, or the directory is gone */
function writeJson(directory: string, name: string, content: unknown): string | null {
  const file = path.join(directory, name);
  try {
    fs.writeFileSync(`${file}.new`, JSON.stringify(content), { mode: 0o600 });
    fs.renameSync(`${file}.new`, file);
    return null;
  } catch (error) {
    return describeError(error);
  }
}

/**
 * Creates the journal of a new run; null where there is no memory for it. Never throws.
 *
 * @param leader names the journal: the command, not the wrapper, because the path must not change with a successor. If
 *   one moved the journal and died just then, the next could not find it.
 */
export function createJournal(leader: ProcessRef, log: Log): RunJournal | null {
  if (!fs.existsSync(MEMORY)) return null;
  let directory: string | null = null;
  try {
    if (!isOurs(MEMORY)) throw new Error(`other users could replace files in ${MEMORY}`);
    if (!isMemoryFree()) throw new Error(`${MEMORY} has too little free space`);
    directory = fs.mkdtempSync(path.join(MEMORY, `${PREFIX}${formatProcessRef(leader)}-`));
    return new RunJournal(directory, 0, [], log);
  } catch (error) {
    // Read-only, full, or not writable for us.
    log.info(`cannot keep a journal of this run: ${describeError(error)}`);
    if (directory !== null) removeJournal(directory);
    return null;
  }
}

/** The journal of a run whose wrapper is gone. */
export interface ReadJournal {
  readonly output: JournalledOutput | null;
  readonly checkpoint: RunCheckpoint;
  readonly held: HeldBytes;
}

/** Reads a journal. What can't be read counts as not written. */
export function readJournal(directory: string): ReadJournal {
  const held = readJsonFile(directory, HELD_FILE, Held);
  return {
    output: tryOrNull(() => readOutputJournal(directory)),
    checkpoint: readJsonFile(directory, CHECKPOINT_FILE, RunCheckpoint) ?? EMPTY_CHECKPOINT,
    held: { stdout: fromBase64(held?.stdout), stderr: fromBase64(held?.stderr) },
  };
}

/** A run whose command has ended has been taken over by then, if it ever is. */
const ABANDONED_AFTER_MS = 24 * 60 * 60 * 1_000;
/** The unit of start times on Linux. */
const TICK_MS = 10;

/** Exists for some milliseconds of each start (output-pipe.ts, start-failure.ts), longer only if that is interrupted. */
const START_DIRECTORY = /^leash-[A-Za-z0-9]{6}$/;

/**
 * Removes journals of runs that no successor will take over, and what interrupted starts have left in memory. Never
 * throws.
 *
 * @param processes the journals of those that are running are not touched
 * @param wanted journals that a run's record names
 */
export function cleanUpMemory(
  { isRunning, self }: Pick<Processes, 'isRunning' | 'self'>,
  wanted: ReadonlySet<string>,
  nowMs = Date.now(),
): void {
  for (const name of tryOrNull(() => fs.readdirSync(MEMORY)) ?? []) {
    const directory = path.join(MEMORY, name);
    const leader = parseLeader(name);
    const isNeeded = leader === null ? !START_DIRECTORY.test(name) : wanted.has(directory) || isRunning(leader);
    // After the clock was corrected by a day, every file looks old.
    if (isNeeded || (leader !== null && !isLongAgo(leader, self))) continue;
    const stat = tryOrNull(() => fs.lstatSync(directory));
    const file = tryOrNull(() => fs.lstatSync(path.join(directory, 'output')));
    const changedAtMs = Math.max(stat?.mtimeMs ?? 0, file?.mtimeMs ?? 0);
    if (stat?.uid === process.getuid?.() && nowMs - changedAtMs > ABANDONED_AFTER_MS) removeJournal(directory);
  }
}

/** Whether it was started long enough before us to count as abandoned. */
function isLongAgo({ startTime }: ProcessRef, self: ProcessRef): boolean {
  return (Number(self.startTime) - Number(startTime)) * TICK_MS > ABANDONED_AFTER_MS;
}

function parseLeader(name: string): ProcessRef | null {
  // mkdtemp puts six characters after the last dash.
  return name.startsWith(PREFIX) ? parseProcessRef(name.slice(PREFIX.length, name.lastIndexOf('-'))) : null;
}

/** Never throws: a restart of the machine removes the rest. */
export function removeJournal(directory: string): void {
  tryOrNull(() => fs.rmSync(directory, { recursive: true, force: true }));
}

function readJsonFile<Schema extends v.GenericSchema>(
  directory: string,
  name: string,
  schema: Schema,
): v.InferOutput<Schema> | null {
  const json = tryOrNull((): unknown => JSON.parse(fs.readFileSync(path.join(directory, name), 'utf8')));
  const parsed = v.safeParse(schema, json);
  return parsed.success ? parsed.output : null;
}

/** Null when it fails: the file doesn't exist, can't be read or has other content. */
function tryOrNull<Value>(work: () => Value): Value | null {
  try {
    return work();
  } catch {
    // Any error of the file system or the parser.
    return null;
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function fromBase64(text = ''): Uint8Array {
  return Buffer.from(text, 'base64');
}

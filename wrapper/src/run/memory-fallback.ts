/**
 * Keeps the end of a run in memory when its state directory does not take it, with the output in the journal and what the
 * disk took before. It is found and sent like what is left on disk.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { MIB } from '#protocol/limits';
import type { Environment } from '../config/config-file.ts';
import { readJournal } from '../journal/run-journal.ts';
import { linkSegments } from '../spool/segment-list.ts';
import { listNames } from '../state/files.ts';
import { createRunDirectory, type RunDirectory, runsIn } from '../state/run-directory.ts';
import type { RunEnd } from '../state/run-file.ts';
import { openFallbackState, type State } from '../state/state-directory.ts';
import type { NewRunFacts } from './run-persistence.ts';

/** What all runs that are kept in memory may use together. */
const MAX_BYTES = 64 * MIB;
/** The run's journal is moved here. */
const JOURNAL = 'journal';
const WRITE_MS = 10_000;

export interface MemoryCopy {
  readonly state: State;
  readonly directory: RunDirectory;
  /** Bytes of output that are kept there, and not on disk. */
  readonly outputBytes: number;
}

/**
 * @param outputFrom the offset of the first byte that is wanted
 * @param onDisk the run's directory there; null when it has none
 * @returns null where there is no memory for it. Never fails.
 */
export async function saveToMemory(
  facts: NewRunFacts,
  end: Omit<RunEnd, 'version'>,
  outputFrom: number,
  onDisk: string | null,
  settings: Environment,
): Promise<MemoryCopy | null> {
  const state = await openFallbackState(settings);
  if (state === null) return null;
  const runs = runsIn(state.directory);
  const { supervision } = facts;
  const before = supervision.journal;
  const journal = before === null ? null : path.join(runs, facts.run, JOURNAL);
  const kept = { ...facts, supervision: { ...supervision, journal } };
  const created = await createRunDirectory(state.directory, kept, state.processes);
  if (created.kind === 'failed') return null;
  const { directory } = created;
  if ((await directory.writeEnd(end, WRITE_MS)) !== null) {
    await directory.remove();
    return null;
  }
  if (onDisk !== null) await linkSegments(onDisk, directory.path);
  const outputBytes = before === null || journal === null ? 0 : await moveJournal(before, journal, runs, outputFrom);
  return { state, directory, outputBytes };
}

/** @returns how many bytes of output are in it; 0 where it is too long to be kept */
async function moveJournal(from: string, to: string, runs: string, outputFrom: number): Promise<number> {
  try {
    const bytes = await bytesIn(from);
    if (bytes + (await bytesIn(runs)) > MAX_BYTES) return 0;
    await fs.rename(from, to);
    const { output } = readJournal(to);
    const first = output?.frames[0]?.start ?? output?.end ?? 0;
    return Math.max(0, (output?.end ?? 0) - Math.max(first, outputFrom));
  } catch {
    // It has been removed.
    return 0;
  }
}

/** The size of the files below it; what is linked takes up nothing. */
async function bytesIn(file: string): Promise<number> {
  const stat = await fs.lstat(file).catch(() => null);
  if (stat === null || !stat.isDirectory()) return stat?.size ?? 0;
  let sum = 0;
  for (const name of await listNames(file)) sum += await bytesIn(path.join(file, name));
  return sum;
}

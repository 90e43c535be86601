/** The output of a run whose wrapper was killed: what it had on disk, and what it had in its journal. */
import type { JournalledOutput } from '../journal/output-journal.ts';
import { readJournal, removeJournal } from '../journal/run-journal.ts';
import type { Log } from '../logging/log.ts';
import { SegmentList, type SpoolContents } from '../spool/segment-list.ts';
import { scanSpool } from '../spool/spooled-output.ts';
import { DEFAULT_OUTPUT_LIMIT_BYTES, initialQuota, spoolBytesFor } from '../state/quota.ts';
import type { RunDirectory } from '../state/run-directory.ts';
import { createUnackedOutput, type UnackedOutput } from './unacked-output.ts';

/** How long the disk may take for the journal of a run that is over. */
const FLUSH_MS = 10_000;

export interface InheritedOutput {
  readonly output: UnackedOutput;
  readonly onDisk: SpoolContents;
}

/**
 * @param directory the run's, or null when it has none
 * @param journalled null when there is no journal
 * @throws what the file system says of a directory that can't be read
 */
export async function inheritOutput(
  directory: string | null,
  journalled: JournalledOutput | null,
  log: Log,
): Promise<InheritedOutput> {
  const onDisk = directory === null ? { segments: new SegmentList(), end: 0 } : await scanSpool(directory);
  const frames = journalled?.frames ?? [];
  // What had gone to disk may still be in the journal.
  const memory = Math.max(onDisk.end, frames[0]?.start ?? journalled?.end ?? 0);
  const start = Math.min(onDisk.segments.at(0)?.start ?? memory, memory);
  const output = createUnackedOutput(log, { start, memory, isCertain: journalled !== null });
  for (const { stream, start, bytes } of frames) {
    const known = Math.max(0, output.end - start);
    if (known < bytes.length) output.append(stream, bytes.subarray(known));
  }
  return { output, onDisk };
}

/** Writes the output of a run that is over to disk, from where it is sent. Never fails: what the disk can't take is lost. */
export async function writeToDisk({ output, onDisk }: InheritedOutput, directory: RunDirectory): Promise<void> {
  const wanted = directory.facts.supervision.spool_limit_bytes ?? spoolBytesFor(DEFAULT_OUTPUT_LIMIT_BYTES);
  const bytes = await initialQuota(directory.root, wanted);
  output.useSpool(directory.path, { bytes, recompute: async () => bytes }, onDisk);
  await output.flush(FLUSH_MS);
  output.close();
}

/**
 * Writes to disk what is in the journal of a run that is over and whose wrapper died together with its guardian, as in a
 * cgroup that was killed as a whole.
 *
 * @throws what the file system says of a directory that can't be read
 */
export async function salvageOutput(directory: RunDirectory, log: Log): Promise<void> {
  const { journal } = directory.facts.supervision;
  const left = journal === null ? null : readJournal(journal);
  if (journal === null || left === null || left.output === null) return;
  await writeToDisk(await inheritOutput(directory.path, left.output, log), directory);
  removeJournal(journal);
}

/** The output of a run whose wrapper was killed: what it had on disk, and what it had in its journal. */
import type { JournalledOutput } from '../journal/output-journal.ts';
import type { Log } from '../log.ts';
import type { UnackedOutput } from '../output/unacked.ts';
import { newOutput } from '../run/parts.ts';
import { outputOnDisk } from '../spool/leftover-output.ts';
import { type OnDisk, SegmentList } from '../spool/segment-list.ts';

export interface InheritedOutput {
  readonly output: UnackedOutput;
  readonly onDisk: OnDisk;
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
  const onDisk = directory === null ? { segments: new SegmentList(), end: 0 } : await outputOnDisk(directory);
  const stretches = journalled?.stretches ?? [];
  // What had gone to disk may still be in the journal.
  const memory = Math.max(onDisk.end, stretches[0]?.start ?? journalled?.end ?? 0);
  const start = Math.min(onDisk.segments.at(0)?.start ?? memory, memory);
  const output = newOutput(log, { start, memory, isCertain: journalled !== null });
  for (const { stream, start, bytes } of stretches) {
    const known = Math.max(0, output.end - start);
    if (known < bytes.length) output.append(stream, bytes.subarray(known));
  }
  return { output, onDisk };
}

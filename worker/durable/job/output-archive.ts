/**
 * Output of ended runs moves to a bucket, if one is bound, where it costs a thirteenth and does not count towards the
 * storage of an object.
 *
 * It is written to the bucket first, and then a row takes the place of the rows that were moved. If the object is
 * evicted in between, the same archive is written again. What a run may have in the bucket is removed with the run.
 */
import { MIB } from '#protocol/limits';
import { log } from '../../shared/log.ts';
import type { OutputPart } from '../../shared/rpc/job-object.ts';
import type { JobContext } from './job-context.ts';
import type { ArchivedPart, StoredPart } from './output-store.ts';
import type { RunRecord } from './run-store.ts';

/** Output is read most soon after its run has ended. */
const AFTER_MS = 60 * 60 * 1000;
/** When this share of the job's limit is reached, output is moved without that delay. */
const FILLING = 1 / 2;
const ARCHIVE_BYTES = 8 * MIB;
const ARCHIVE_ROWS = 4_096;
const ARCHIVES_PER_STEP = 20;
/** Between two steps, so that what has arrived meanwhile is handled. */
const PAUSE_MS = 50;
const RETRY_MS = 10 * 60 * 1000;
/** Whether there is something to move is looked up at most this often. */
const LOOK_EVERY_MS = 60_000;

export class OutputArchive {
  readonly #job: JobContext;
  #isMoving = false;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(job: JobContext) {
    this.#job = job;
  }

  get #bucket(): R2Bucket | null {
    return this.#job.env.OUTPUT_BUCKET ?? null;
  }

  /** Starts to move output that is old enough. */
  schedule(): void {
    this.#scheduleBefore(Date.now() - AFTER_MS);
  }

  /** Starts to move the output of all ended runs if the storage is filling up. */
  scheduleIfFilling(): void {
    const now = Date.now();
    if (this.#bucket === null || now - this.#lookedAt < LOOK_EVERY_MS || !this.#isFilling) return;
    this.#lookedAt = now;
    this.#scheduleBefore(now);
  }

  get #isFilling(): boolean {
    return this.#job.sql.databaseSize >= this.#job.settings.jobOutputMaxBytes * FILLING;
  }

  #scheduleBefore(endedBefore: number): void {
    const { runs, deadlines } = this.#job;
    if (this.#bucket === null || runs.oldestToArchive(endedBefore) === null) return;
    deadlines.armIfUnset('archive', '', Date.now() + PAUSE_MS);
  }

  /** The `archive` deadline: one step, and the next is due soon if there is more to do. Never throws. */
  async step(): Promise<void> {
    const bucket = this.#bucket;
    if (bucket === null || this.#isMoving) return;
    this.#isMoving = true;
    const { deadlines, name } = this.#job;
    // If the object is evicted meanwhile, or the bucket fails.
    deadlines.arm('archive', '', Date.now() + RETRY_MS);
    try {
      const left = await this.#moveSome(bucket);
      if (left === 'more') deadlines.arm('archive', '', Date.now() + PAUSE_MS);
      if (left === 'nothing') deadlines.cancel('archive', '');
    } catch (error) {
      log.error('archive_failed', error, { job: name });
    } finally {
      this.#isMoving = false;
    }
  }

  /** @returns what is left to do: `blocked` until something is purged */
  async #moveSome(bucket: R2Bucket): Promise<'more' | 'nothing' | 'blocked'> {
    const { runs } = this.#job;
    let bytes = 0;
    for (let count = 0; count < ARCHIVES_PER_STEP && bytes < ARCHIVE_BYTES; count += 1) {
      const run = runs.oldestToArchive(Date.now() - (this.#isFilling ? 0 : AFTER_MS));
      if (run === null) return 'nothing';
      // What a removed run with the same id has in the bucket must be gone first.
      if (this.#job.deadlines.has('purge', run.id)) return 'blocked';
      bytes += await this.#moveNext(bucket, run);
    }
    return 'more';
  }

  /** @returns how many bytes were moved */
  async #moveNext(bucket: R2Bucket, run: RunRecord): Promise<number> {
    const { runs, output, storage } = this.#job;
    const next = output.archivable(run.id, run.archivedTo ?? 0, ARCHIVE_BYTES, ARCHIVE_ROWS);
    if (next === null) throw new Error(`run ${run.id} has no output to move`);
    // First: from now on the run may have something in the bucket.
    if (run.archivedTo === null) runs.patch(run.id, { archivedTo: 0 });
    if (next.bytes.length > 0) await bucket.put(this.#nameOf(run.id, next.start), next.bytes);
    storage.transaction(() => {
      const freed = output.replaceByArchive(run.id, next);
      if (freed !== null) runs.freeOutput(run.id, freed, { archivedTo: next.end });
    });
    return next.bytes.length;
  }

  /** The run is removed, and its rows: what it has in the bucket follows. */
  runRemoved(run: RunRecord): void {
    if (run.archivedTo !== null) this.#job.deadlines.arm('purge', run.id, Date.now() + PAUSE_MS);
  }

  /** The `purge` deadline: removes what a removed run has in the bucket. Never throws. */
  async purge(run: string): Promise<void> {
    const bucket = this.#bucket;
    const { deadlines, name, storage } = this.#job;
    if (bucket === null) {
      log.warn('archives_left', { job: name, run });
      return;
    }
    deadlines.arm('purge', run, Date.now() + RETRY_MS);
    try {
      const prefix = this.#prefixOf(run);
      for (let more = true; more; ) {
        const { objects, truncated } = await bucket.list({ prefix });
        if (objects.length > 0) await bucket.delete(objects.map(({ key }) => key));
        more = truncated;
      }
      deadlines.cancel('purge', run);
    } catch (error) {
      log.error('purge_failed', error, { job: name, run });
      return;
    }
    await storage.clearIfUnused();
  }

  /**
   * The parts with the bytes of those that are archived. What the bucket does not have is a gap.
   *
   * @throws if the bucket fails
   */
  async load(run: string, parts: readonly StoredPart[]): Promise<OutputPart[]> {
    const archives = new Map<number, ArchivedPart[]>();
    for (const part of parts) {
      if (part.kind === 'archived') archives.set(part.archive, [...(archives.get(part.archive) ?? []), part]);
    }
    const fetched = new Map<number, Fetched | null>();
    for (const [archive, wanted] of archives) fetched.set(archive, await this.#fetch(run, archive, wanted));
    return parts.map((part) => (part.kind === 'archived' ? filled(part, fetched.get(part.archive) ?? null) : part));
  }

  /** @param parts of one archive, in order: their bytes are contiguous. @returns null if the bucket lacks them */
  async #fetch(run: string, archive: number, parts: readonly ArchivedPart[]): Promise<Fetched | null> {
    const position = parts[0]?.position ?? 0;
    const length = parts.reduce((sum, { start, end }) => sum + end - start, 0);
    const object = await this.#bucket?.get(this.#nameOf(run, archive), { range: { offset: position, length } });
    const bytes = object === null || object === undefined ? null : new Uint8Array(await object.arrayBuffer());
    if (bytes?.length === length) return { position, bytes };
    log.error('archive_missing', new Error('the bucket lacks output'), { job: this.#job.name, run, archive });
    return null;
  }

  #prefixOf(run: string): string {
    return `${this.#job.name}/${run}/`;
  }

  #nameOf(run: string, start: number): string {
    return `${this.#prefixOf(run)}${start}`;
  }
}

/** Bytes of an archive, and where in it they begin. */
interface Fetched {
  readonly position: number;
  readonly bytes: Uint8Array;
}

function filled({ start, end, stream, position }: ArchivedPart, fetched: Fetched | null): OutputPart {
  if (fetched === null) return { kind: 'gap', start, end, begin: start };
  const from = position - fetched.position;
  return { kind: 'bytes', start, stream, bytes: fetched.bytes.subarray(from, from + end - start) };
}

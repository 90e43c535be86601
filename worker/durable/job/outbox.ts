/**
 * What D1 and the watching pages have not been told yet.
 *
 * No transaction spans this object and D1, so a change is noted here in the same write as the change itself, and sent
 * until D1 has it. What is sent is the latest state; D1 keeps the higher `seq`. The gateway commits the changes of many
 * jobs at once, and only after that tells the pages, so that a page which then fetches finds what it was told.
 */
import type { Command, Run } from '#protocol/api';
import { commitChanges } from '../../d1-gateway.ts';
import type { Env } from '../../env.ts';
import { log } from '../../log.ts';
import { spread } from '../../spread.ts';
import { type Forgotten, type JobChanges, MAX_BATCH_WEIGHT, weighChanges } from '../changes.ts';
import type { DeadlineBook } from './deadlines.ts';

type Kind = 'run' | 'command';

interface Note {
  readonly kind: Kind;
  readonly subject: string;
  readonly seq: number;
}

/** What is sent at once, and the notes that are done with when it has arrived. */
interface Batch {
  readonly notes: readonly Note[];
  readonly changes: JobChanges;
}

/** Where the outbox finds the state to send; null for what is not kept any more. */
export interface OutboxSource {
  run(id: string): Run | null;
  command(id: string): Command | null;
}

const RETRY_MS = 5_000;

export class Outbox {
  readonly #ctx: DurableObjectState;
  readonly #env: Env;
  readonly #job: string;
  readonly #deadlines: DeadlineBook;
  readonly #source: OutboxSource;
  #sending = false;
  #isD1Away = false;

  constructor(ctx: DurableObjectState, env: Env, job: string, deadlines: DeadlineBook, source: OutboxSource) {
    this.#ctx = ctx;
    this.#env = env;
    this.#job = job;
    this.#deadlines = deadlines;
    this.#source = source;
  }

  /** Whether D1 did not take what it was last sent. */
  get isD1Away(): boolean {
    return this.#isD1Away;
  }

  /** Notes that a run or command has changed or is gone, and starts sending. */
  note(kind: Kind, subject: string, seq: number): void {
    this.#ctx.storage.sql.exec(
      'INSERT OR REPLACE INTO outbox (kind, subject, seq) VALUES (?, ?, ?)',
      kind,
      subject,
      seq,
    );
    // Should this object end before D1 has it, the alarm brings it back.
    if (!this.#deadlines.has('outbox', '')) this.#deadlines.arm('outbox', '', Date.now() + RETRY_MS);
    this.#ctx.waitUntil(this.send());
  }

  get isEmpty(): boolean {
    return this.#ctx.storage.sql.exec('SELECT 1 FROM outbox LIMIT 1').toArray().length === 0;
  }

  /** Sends until nothing is left. Never throws: what fails is tried again by alarm. */
  async send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    try {
      // First let the event that made the note come to its end: one batch instead of many.
      await Promise.resolve();
      for (let batch = this.#next(); batch !== null; batch = this.#next()) await this.#sendBatch(batch);
      this.#deadlines.cancel('outbox', '');
    } catch (error) {
      log.error('outbox_failed', error, { job: this.#job });
      this.#deadlines.arm('outbox', '', Date.now() + spread(RETRY_MS));
    } finally {
      this.#sending = false;
    }
  }

  async #sendBatch(batch: Batch): Promise<void> {
    let published: boolean;
    try {
      ({ published } = await commitChanges(this.#env, batch.changes));
      this.#isD1Away = false;
    } catch (error) {
      this.#isD1Away = true;
      throw error;
    }
    if (!published) throw new Error('D1 has the changes, but the pages could not be told');
    for (const { kind, subject, seq } of batch.notes) {
      // Unless it has changed again meanwhile.
      this.#ctx.storage.sql.exec('DELETE FROM outbox WHERE kind = ? AND subject = ? AND seq = ?', kind, subject, seq);
    }
  }

  /** As many notes as go into one batch, with the state of what they name; null when nothing is left. */
  #next(): Batch | null {
    const notes: Note[] = [];
    const runs: Run[] = [];
    const commands: Command[] = [];
    const forgottenRuns: Forgotten[] = [];
    const forgottenCommands: Forgotten[] = [];
    const changes: JobChanges = { job: this.#job, runs, commands, forgottenRuns, forgottenCommands };
    const waiting = this.#ctx.storage.sql
      .exec<{ kind: Kind; subject: string; seq: number }>(
        'SELECT kind, subject, seq FROM outbox LIMIT ?',
        MAX_BATCH_WEIGHT,
      )
      .toArray();
    for (const note of waiting) {
      if (weighChanges(changes) >= MAX_BATCH_WEIGHT) break;
      notes.push(note);
      if (note.kind === 'run') push(runs, forgottenRuns, note, this.#source.run(note.subject));
      else push(commands, forgottenCommands, note, this.#source.command(note.subject));
    }
    return notes.length === 0 ? null : { notes, changes };
  }
}

function push<Resource>(latest: Resource[], forgotten: Forgotten[], note: Note, resource: Resource | null): void {
  if (resource === null) forgotten.push({ id: note.subject, seq: note.seq });
  else latest.push(resource);
}

/**
 * What D1 and the watching pages have not been told yet.
 *
 * No transaction spans this object and D1, so a change is noted here in the same write as the change itself, and sent
 * until D1 has it. What is sent is the latest state; D1 keeps the higher `seq`. The gateway commits the changes of many
 * jobs at once, and only after that tells the pages, so that a page which then fetches finds what it was told.
 */
import type { Kill, Run } from '#protocol/api';
import { withJitter } from '#shared/with-jitter';
import type { Env } from '../../shared/env.ts';
import { type JobChanges, MAX_BATCH_WEIGHT, weighChanges } from '../../shared/job-changes.ts';
import { log } from '../../shared/log.ts';
import { type Committed, commitChanges } from '../../shared/rpc/d1-gateway.ts';
import type { DeadlineBook } from './deadlines.ts';

type Kind = 'run' | 'kill';

type Note = {
  readonly kind: Kind;
  readonly subject: string;
  readonly seq: number;
};

/** What is sent at once, and the notes that are done with when it has arrived. */
interface Batch {
  readonly notes: readonly Note[];
  readonly changes: JobChanges;
}

/** Where the outbox finds the state to send; null for what is not kept any more. */
export interface OutboxSource {
  run(id: string): Run | null;
  kill(id: string): Kill | null;
  /** Another job has reported a run with the id of one of this job's. It may be told any number of times. */
  namesake(run: string, otherJob: string): void;
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

  /** Notes that a run or kill has changed or is gone, and starts sending. */
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

  /** What D1 may not have yet, as it is now. */
  pending(): Pick<JobChanges, 'runs' | 'kills'> {
    const notes = this.#ctx.storage.sql.exec<Note>('SELECT kind, subject, seq FROM outbox').toArray();
    return joined(
      this.#job,
      notes.map((note) => this.#changesOf(note)),
    );
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
      this.#deadlines.arm('outbox', '', Date.now() + withJitter(RETRY_MS));
    } finally {
      this.#sending = false;
    }
  }

  async #sendBatch(batch: Batch): Promise<void> {
    try {
      await this.#sendTogether(batch);
    } catch (error) {
      if (!isRefused(error) || batch.notes.length === 1) throw error;
      await this.#sendEach(batch.notes);
    }
  }

  /** D1 refused one of them: the others must not wait for it, or nothing of this job would ever be known there again. */
  async #sendEach(notes: readonly Note[]): Promise<void> {
    let refusal: unknown = null;
    for (const note of notes) {
      try {
        await this.#sendTogether({ notes: [note], changes: this.#changesOf(note) });
      } catch (error) {
        if (!isRefused(error)) throw error;
        log.error('change_refused', error, { job: this.#job, kind: note.kind, subject: note.subject });
        refusal = error;
      }
    }
    if (refusal !== null) throw refusal;
  }

  async #sendTogether(batch: Batch): Promise<void> {
    let committed: Committed;
    try {
      committed = await commitChanges(this.#env, batch.changes);
      this.#isD1Away = false;
    } catch (error) {
      this.#isD1Away = !isRefused(error);
      throw error;
    }
    for (const { run, otherJob } of committed.namesakes) this.#source.namesake(run, otherJob);
    if (!committed.published) throw new Error('D1 has the changes, but the pages could not be told');
    for (const { kind, subject, seq } of batch.notes) {
      // Unless it has changed again meanwhile.
      this.#ctx.storage.sql.exec('DELETE FROM outbox WHERE kind = ? AND subject = ? AND seq = ?', kind, subject, seq);
    }
  }

  /** As many notes as go into one batch, with the state of what they name; null when nothing is left. */
  #next(): Batch | null {
    const waiting = this.#ctx.storage.sql
      .exec<{ kind: Kind; subject: string; seq: number }>(
        'SELECT kind, subject, seq FROM outbox LIMIT ?',
        MAX_BATCH_WEIGHT,
      )
      .toArray();
    const notes: Note[] = [];
    const all: JobChanges[] = [];
    let weight = 0;
    for (const note of waiting) {
      const changes = this.#changesOf(note);
      weight += weighChanges(changes);
      if (notes.length > 0 && weight > MAX_BATCH_WEIGHT) break;
      notes.push(note);
      all.push(changes);
    }
    return notes.length === 0 ? null : { notes, changes: joined(this.#job, all) };
  }

  /** What one note is about, in its latest state. */
  #changesOf({ kind, subject, seq }: Note): JobChanges {
    const gone = [{ id: subject, seq }];
    const none = { job: this.#job, runs: [], kills: [], forgottenRuns: [], forgottenKills: [] };
    switch (kind) {
      case 'run': {
        const run = this.#source.run(subject);
        return run === null ? { ...none, forgottenRuns: gone } : { ...none, runs: [run] };
      }
      case 'kill': {
        const kill = this.#source.kill(subject);
        return kill === null ? { ...none, forgottenKills: gone } : { ...none, kills: [kill] };
      }
    }
  }
}

function joined(job: string, all: readonly JobChanges[]): JobChanges {
  return {
    job,
    runs: all.flatMap(({ runs }) => runs),
    kills: all.flatMap(({ kills }) => kills),
    forgottenRuns: all.flatMap(({ forgottenRuns }) => forgottenRuns),
    forgottenKills: all.flatMap(({ forgottenKills }) => forgottenKills),
  };
}

/** D1 is there, and what it was sent is at fault. Its failures have no class of their own. */
function isRefused(error: unknown): boolean {
  return error instanceof Error && /SQLITE_(CONSTRAINT|TOOBIG)/.test(error.message);
}

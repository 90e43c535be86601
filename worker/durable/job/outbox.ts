/**
 * What D1 and the watching pages have not been told yet.
 *
 * No transaction spans this object and D1, so a change is noted here in the same write as the change itself, and sent
 * until D1 has it. What is sent is the latest state; D1 keeps the higher `seq`. Only after that commit do pages hear of
 * it, so that a page which then fetches finds what it was told.
 */
import type { Command, Run } from '#protocol/api';
import type { Env } from '../../env.ts';
import { log } from '../../log.ts';
import { mirrorCommand } from '../../src/db/commands.ts';
import { mirrorJob } from '../../src/db/jobs.ts';
import { mirrorRun } from '../../src/db/runs.ts';
import type { DeadlineBook } from './deadlines.ts';

type Kind = 'run' | 'command';

interface Note {
  readonly kind: Kind;
  readonly subject: string;
  readonly seq: number;
}

/** Where the outbox finds the state to send. */
export interface OutboxSource {
  run(id: string): Run | null;
  command(id: string): Command | null;
}

const BATCH = 50;
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

  /** Notes that a run or command has changed, and starts sending. */
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

  /** Sends until nothing is left. Never throws: what fails is tried again by alarm. */
  async send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    try {
      // First let the event that made the note come to its end: one batch instead of many.
      await Promise.resolve();
      for (let notes = this.#next(); notes.length > 0; notes = this.#next()) {
        await this.#sendBatch(notes);
      }
      this.#deadlines.cancel('outbox', '');
    } catch (error) {
      log.error('outbox_failed', error, { job: this.#job });
      this.#deadlines.arm('outbox', '', Date.now() + RETRY_MS);
    } finally {
      this.#sending = false;
    }
  }

  async #sendBatch(notes: readonly Note[]): Promise<void> {
    const db = this.#env.DB;
    const statements = [mirrorJob(db, this.#job, Date.now())];
    const runs: Run[] = [];
    const commands: Command[] = [];
    for (const note of notes) {
      if (note.kind === 'run') {
        const run = this.#source.run(note.subject);
        if (run === null) continue;
        runs.push(run);
        statements.push(mirrorRun(db, run));
      } else {
        const command = this.#source.command(note.subject);
        if (command === null) continue;
        commands.push(command);
        statements.push(mirrorCommand(db, command));
      }
    }
    try {
      await db.batch(statements);
      this.#isD1Away = false;
    } catch (error) {
      this.#isD1Away = true;
      throw error;
    }
    await this.#env.FLEET.getByName('fleet').publish({ runs, commands });
    for (const { kind, subject, seq } of notes) {
      // Unless it has changed again meanwhile.
      this.#ctx.storage.sql.exec('DELETE FROM outbox WHERE kind = ? AND subject = ? AND seq = ?', kind, subject, seq);
    }
  }

  #next(): Note[] {
    return this.#ctx.storage.sql
      .exec<{ kind: Kind; subject: string; seq: number }>('SELECT kind, subject, seq FROM outbox LIMIT ?', BATCH)
      .toArray();
  }
}

/**
 * Many ask at once, D1 is asked once: what is asked while a query is under way goes along with the next, never with one
 * that has begun, so that no answer is older than its question.
 *
 * For use inside of one Durable Object. In the stateless Worker a promise belongs to the request that made it: when that
 * one's client hangs up, whoever else waits for it waits for ever.
 */
import { TimeoutError, withTimeout } from '#shared/with-timeout';

interface Waiting<Question, Answer> {
  readonly question: Question;
  readonly weight: number;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

export interface Query<Question, Answer> {
  /** Names it in failures. */
  readonly name: string;
  /** Asks for all of them; the answers in the order of the questions. */
  ask(questions: readonly Question[]): Promise<readonly Answer[]>;
  /** How much one question adds to a query. */
  weigh(question: Question): number;
  /** A query grows no heavier than this, unless one question alone is. */
  readonly maxWeight: number;
}

/** D1 gives up after 30 s; callers before that. */
const QUERY_LIMIT_MS = 10_000;

export class Coalescer<Question, Answer> {
  readonly #query: Query<Question, Answer>;
  #waiting: Waiting<Question, Answer>[] = [];
  #isAsking = false;

  constructor(query: Query<Question, Answer>) {
    this.#query = query;
  }

  /** Rejects when the query in which the question went failed. */
  ask(question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      // Here, where a question that can't be weighed fails alone: later it would take all who wait along, for ever.
      this.#waiting.push({ question, weight: this.#query.weigh(question), resolve, reject });
      if (!this.#isAsking) void this.#askAll();
    });
  }

  /** One query at a time, until nobody waits. */
  async #askAll(): Promise<void> {
    this.#isAsking = true;
    while (this.#waiting.length > 0) await this.#askFor(this.#takeNext());
    this.#isAsking = false;
  }

  #takeNext(): Waiting<Question, Answer>[] {
    let weight = 0;
    const end = this.#waiting.findIndex((waiting, index) => {
      weight += waiting.weight;
      return index > 0 && weight > this.#query.maxWeight;
    });
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
  }

  /** Answers each of them, with its failure if need be. Never throws. */
  async #askFor(batch: readonly Waiting<Question, Answer>[]): Promise<void> {
    try {
      const questions = batch.map(({ question }) => question);
      const answers = await withTimeout(this.#query.ask(questions), QUERY_LIMIT_MS, { what: this.#query.name });
      batch.forEach((waiting, index) => {
        // The answers are in the order of the questions, one for each.
        waiting.resolve(answers[index] as Answer);
      });
    } catch (error) {
      // Who waits behind a D1 that doesn't answer would wait in vain, and comes again after a pause.
      if (error instanceof TimeoutError) reject([...batch, ...this.#waiting.splice(0)], error);
      else if (batch.length === 1 || isD1Away(error)) reject(batch, error);
      else await this.#askForHalves(batch);
    }
  }

  /** D1 is there and refused the query, so one of the questions is at fault: the others must not fail with it. */
  async #askForHalves(batch: readonly Waiting<Question, Answer>[]): Promise<void> {
    const middle = batch.length >> 1;
    await this.#askFor(batch.slice(0, middle));
    await this.#askFor(batch.slice(middle));
  }
}

function reject(batch: readonly Waiting<unknown, never>[], error: unknown): void {
  for (const waiting of batch) waiting.reject(error);
}

/** D1's failures have no class of their own. A statement at fault is told with SQLite's code; D1 that is away is not. */
function isD1Away(error: unknown): boolean {
  const message = error instanceof Error ? error.message : '';
  return message.startsWith('D1_ERROR') && !message.includes('SQLITE_');
}

/** Observes the gateway to D1: counts its calls, records its queries, and can delay its responses. */
import { runInDurableObject } from 'cloudflare:test';
import { type MockInstance, vi } from 'vitest';
import { D1GatewayObject } from '../../durable/d1-gateway/d1-gateway-object.ts';
import { env } from './env.ts';

type Method = 'signIn' | 'session' | 'registerSockets' | 'unacceptedKills' | 'commit';

export class ObservedGateway {
  /** What each query to D1 was bound to. */
  readonly queries: unknown[][] = [];
  #held: Promise<void> = Promise.resolve();
  #release = () => {};

  readonly #calls: MockInstance;

  private constructor(calls: MockInstance) {
    this.#calls = calls;
  }

  static async observe(purpose: string, method: Method): Promise<ObservedGateway> {
    // On the prototype: the runtime doesn't call an instance's own methods.
    const observed = new ObservedGateway(vi.spyOn(D1GatewayObject.prototype, method).mockClear());
    await runInDurableObject(env.D1_GATEWAY.getByName(purpose), (object) => {
      Object.assign(object, { env: { ...env, DB: observed.#database() } });
    });
    return observed;
  }

  /** How often it was called. */
  get calls(): number {
    return this.#calls.mock.calls.length;
  }

  /** How often a job's object has sent changes. */
  commitsOf(job: string): number {
    return this.#calls.mock.calls.filter(([changes]) => (changes as { job?: string }).job === job).length;
  }

  /** From now on queries reach D1, and their responses wait for `release`. */
  hold(): void {
    this.#held = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  release(): void {
    this.#release();
  }

  #database(): Pick<D1Database, 'batch'> & { prepare(query: string): unknown } {
    const bindings = new WeakMap<D1PreparedStatement, unknown[]>();
    const answer = async <Result>(asked: unknown[], result: Promise<Result>): Promise<Result> => {
      this.queries.push(asked);
      const found = await result;
      await this.#held;
      return found;
    };
    return {
      prepare: (query) => ({
        bind: (...values: unknown[]) => {
          const statement = env.DB.prepare(query).bind(...values);
          bindings.set(statement, values);
          // A single statement is run with `all`; one of a batch is passed on unchanged.
          const all = statement.all.bind(statement);
          return Object.assign(statement, { all: () => answer(values, all()) });
        },
      }),
      batch: (statements) =>
        answer(
          statements.flatMap((statement) => bindings.get(statement) ?? []),
          env.DB.batch(statements),
        ),
    };
  }
}

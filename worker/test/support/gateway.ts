/** The gateway to D1 under observation: how often it is called, what it asks, and its answers held back. */
import { runInDurableObject } from 'cloudflare:test';
import { type MockInstance, vi } from 'vitest';
import { D1GatewayObject } from '../../durable/d1-gateway/d1-gateway-object.ts';
import { env } from './env.ts';

type Method = 'token' | 'session' | 'registerSockets' | 'unacceptedKills' | 'commit';

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
    // Of the prototype: the runtime calls no method that an object has of its own.
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

  /** From now on D1 is asked, and its answers do not come before `release`. */
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
          // What stands alone is read with `all`; what is part of a batch is handed on as it is.
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

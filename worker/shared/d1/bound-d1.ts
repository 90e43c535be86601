/** D1 with a limit on the time of each call, which D1 itself lacks, and with errors that `d1Failure` recognises. */
import { withTimeout } from '#shared/with-timeout';
import { asD1Error } from './failure.ts';

/** A call that takes longer has failed: whoever waits for it can be told so, and try again. */
const D1_LIMIT_MS = 5_000;

/** The same for the same database, which is what caches are keyed by. */
const boundDatabases = new WeakMap<D1Database, D1Database>();

/** An environment whose D1 is bounded. */
export function withBoundD1<Env extends { readonly DB: D1Database }>(env: Env): Env {
  return { ...env, DB: boundD1(env.DB) };
}

function boundD1(db: D1Database): D1Database {
  const known = boundDatabases.get(db);
  if (known !== undefined) return known;
  const bound = new BoundDatabase(db);
  boundDatabases.set(db, bound);
  boundDatabases.set(bound, bound);
  return bound;
}

async function bounded<Result>(call: () => Promise<Result>): Promise<Result> {
  try {
    return await withTimeout(call(), D1_LIMIT_MS, { what: 'the database' });
  } catch (error) {
    throw asD1Error(error);
  }
}

class BoundDatabase implements D1Database {
  readonly #db: D1Database;

  constructor(db: D1Database) {
    this.#db = db;
  }

  prepare(query: string): D1PreparedStatement {
    return new BoundStatement(this.#db.prepare(query));
  }

  batch<Row = unknown>(statements: D1PreparedStatement[]): Promise<D1Result<Row>[]> {
    return bounded(() => this.#db.batch<Row>(statements.map(BoundStatement.unwrap)));
  }

  exec(query: string): Promise<D1ExecResult> {
    return bounded(() => this.#db.exec(query));
  }

  withSession(): D1DatabaseSession {
    throw new Error('sessions of D1 are not bounded yet');
  }

  dump(): Promise<ArrayBuffer> {
    return bounded(() => this.#db.dump());
  }
}

class BoundStatement implements D1PreparedStatement {
  readonly #statement: D1PreparedStatement;

  constructor(statement: D1PreparedStatement) {
    this.#statement = statement;
  }

  static unwrap(statement: D1PreparedStatement): D1PreparedStatement {
    return statement instanceof BoundStatement ? statement.#statement : statement;
  }

  bind(...values: unknown[]): D1PreparedStatement {
    return new BoundStatement(this.#statement.bind(...values));
  }

  first<Value = unknown>(column: string): Promise<Value | null>;
  first<Row = Record<string, unknown>>(): Promise<Row | null>;
  first<Value>(column?: string): Promise<Value | null> {
    const statement = this.#statement;
    return bounded(() => (column === undefined ? statement.first<Value>() : statement.first<Value>(column)));
  }

  run<Row = Record<string, unknown>>(): Promise<D1Result<Row>> {
    return bounded(() => this.#statement.run<Row>());
  }

  all<Row = Record<string, unknown>>(): Promise<D1Result<Row>> {
    return bounded(() => this.#statement.all<Row>());
  }

  raw<Row = unknown[]>(options: { columnNames: true }): Promise<[string[], ...Row[]]>;
  raw<Row = unknown[]>(options?: { columnNames?: false }): Promise<Row[]>;
  raw<Row>(options?: { columnNames?: boolean }): Promise<Row[] | [string[], ...Row[]]> {
    const statement = this.#statement;
    return bounded<Row[] | [string[], ...Row[]]>(() =>
      options?.columnNames === true ? statement.raw<Row>({ columnNames: true }) : statement.raw<Row>(),
    );
  }
}

/**
 * Counts what Cloudflare bills for: rows written, alarms and requests of everything in the runtime.
 *
 * `cursor.rowsWritten` and `meta.rows_written` count locally as in the price list. The objects and D1 run in the isolate
 * of the tests, so their prototypes can be observed.
 */
import { runInDurableObject } from 'cloudflare:test';
import type { Cost } from '#shared/cost-model';
import { MESSAGES_PER_REQUEST } from '#shared/prices';
import { AlertsObject } from '../../durable/alerts/alerts-object.ts';
import { D1GatewayObject } from '../../durable/d1-gateway/d1-gateway-object.ts';
import { FleetObject } from '../../durable/fleet/fleet-object.ts';
import { JobObject } from '../../durable/job/job-object.ts';
import worker from '../../index.ts';
import { env } from './env.ts';

/** How many statements of each kind wrote rows, to find out where they come from. */
export type Statements = ReadonlyMap<string, number>;

/** Methods that are no billed request. */
const FREE = new Set(['constructor', 'webSocketClose', 'webSocketError']);

class Count {
  readonly cursors: { query: string; cursor: SqlStorageCursor<Record<string, SqlStorageValue>> }[] = [];
  readonly d1Results: { query: string; rows: number }[] = [];
  setAlarms = 0;
  alarms = 0;
  calls = 0;
  workerCalls = 0;
  messages = 0;
  readonly statements = new Map<string, number>();

  addRows(query: string, rows: number): void {
    if (rows > 0) this.statements.set(query, (this.statements.get(query) ?? 0) + rows);
  }

  result(): Cost {
    let objectRows = this.setAlarms;
    for (const { query, cursor } of this.cursors) {
      objectRows += cursor.rowsWritten;
      this.addRows(query, cursor.rowsWritten);
    }
    this.addRows('setAlarm', this.setAlarms);
    let d1Rows = 0;
    for (const { query, rows } of this.d1Results) {
      d1Rows += rows;
      this.addRows(`D1: ${query}`, rows);
    }
    return {
      objectRows,
      d1Rows,
      setAlarms: this.setAlarms,
      alarms: this.alarms,
      requests: this.workerCalls + this.calls + this.messages / MESSAGES_PER_REQUEST,
      workerRequests: this.workerCalls,
    };
  }
}

let current: Count | null = null;
/** Files that share a runtime share its classes. */
let isObserving = false;

/** What everything costs that happens meanwhile. */
export async function costOf(what: () => Promise<unknown>): Promise<Cost & { readonly statements: Statements }> {
  await observe();
  const count = new Count();
  current = count;
  try {
    await what();
  } finally {
    current = null;
  }
  return { ...count.result(), statements: count.statements };
}

async function observe(): Promise<void> {
  if (isObserving) return;
  isObserving = true;
  for (const { prototype } of [JobObject, FleetObject, D1GatewayObject, AlertsObject]) observeCalls(prototype);
  wrap(worker, 'fetch', (fetch) => {
    if (current !== null) current.workerCalls += 1;
    return fetch();
  });
  observeD1();
  // The runtime's classes have no global names.
  await runInDurableObject(env.D1_GATEWAY.getByName('cost'), (_object, { storage }) => observeStorage(storage));
}

function observeCalls(prototype: object): void {
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const isMethod = typeof Object.getOwnPropertyDescriptor(prototype, name)?.value === 'function';
    if (!isMethod || FREE.has(name)) continue;
    wrap(prototype, name, (call) => {
      if (current !== null) {
        if (name === 'webSocketMessage') current.messages += 1;
        else current.calls += 1;
        if (name === 'alarm') current.alarms += 1;
      }
      return call();
    });
  }
}

function observeStorage(storage: DurableObjectStorage): void {
  wrap(Object.getPrototypeOf(storage.sql), 'exec', (exec, query) => {
    const cursor = exec();
    current?.cursors.push({
      query: String(query),
      cursor: cursor as SqlStorageCursor<Record<string, SqlStorageValue>>,
    });
    return cursor;
  });
  // Not deleteAlarm(): only runDurableObjectAlarm() calls it, in place of the runtime.
  wrap(Object.getPrototypeOf(storage), 'setAlarm', (call) => {
    if (current !== null) current.setAlarms += 1;
    return call();
  });
}

function observeD1(): void {
  const count = (statement: unknown, { meta }: D1Result) =>
    current?.d1Results.push({ query: (statement as { statement: string }).statement, rows: meta.rows_written });
  wrap(Object.getPrototypeOf(env.DB), 'batch', async (batch, statements) => {
    const results = (await batch()) as D1Result[];
    (statements as readonly unknown[]).forEach((statement, index) => {
      const result = results[index];
      if (result !== undefined) count(statement, result);
    });
    return results;
  });
  for (const name of ['run', 'all']) {
    wrapMethod(Object.getPrototypeOf(env.DB.prepare('SELECT 1')), name, async (call, statement) => {
      const result = (await call()) as D1Result;
      count(statement, result);
      return result;
    });
  }
}

function wrap(owner: object, name: string, around: (call: () => unknown, ...values: unknown[]) => unknown): void {
  wrapMethod(owner, name, (call, _self, ...values) => around(call, ...values));
}

/** @param around is also given the object that has the method */
function wrapMethod(
  owner: object,
  name: string,
  around: (call: () => unknown, self: unknown, ...values: unknown[]) => unknown,
): void {
  const original: unknown = Reflect.get(owner, name);
  if (typeof original !== 'function') throw new Error(`there is no method ${name}`);
  Object.defineProperty(owner, name, {
    configurable: true,
    writable: true,
    value(this: unknown, ...values: unknown[]): unknown {
      return around(() => Reflect.apply(original, this, values), this, ...values);
    },
  });
}

/**
 * The built Worker with a D1 that can be watched and disturbed. Plain JavaScript, as the runtime loads it beside the
 * bundle. All objects and the Worker share one isolate on the local runtime, so one state here serves all.
 *
 * GET /api/bench/d1 responds with what D1 was asked so far. PUT /api/bench/d1 with `{"delayMs": 40}`, `{"mode": "away"}` or
 * `{"mode": "hanging"}` disturbs it from then on, with `{}` no longer.
 */
import * as built from '../../dist/worker/index.js';

/** What a statement is for, by its first words that say so. */
const PURPOSES = [
  ['kill', /INSERT INTO (audit|idempotency|kills)|FROM idempotency/],
  ['token reads', /FROM (tokens|sessions)/],
  ['drains', /accepted = 0/],
  ['outbox', /INSERT INTO (jobs|runs)|UPDATE kills/],
];

/** A promise that never settles is something else: the runtime notices that nothing is left to wait for. */
const LONGER_THAN_ANY_CALL_MS = 120_000;

const counts = {};
let disturbance = {};

async function disturb() {
  const { delayMs = 0, mode } = disturbance;
  if (delayMs > 0) await scheduler.wait(delayMs);
  // As the runtime says it when a fetch to D1 is rejected: without D1's own prefix.
  if (mode === 'away') throw new Error('Network connection lost.');
  if (mode === 'hanging') await scheduler.wait(LONGER_THAN_ANY_CALL_MS);
}

function note(queries, results, beganAt) {
  const purpose = PURPOSES.find(([, pattern]) => queries.some((query) => pattern.test(query)))?.[0] ?? 'other';
  counts[purpose] ??= { calls: 0, statements: 0, sqlMs: 0, waitedMs: 0 };
  const count = counts[purpose];
  count.calls += 1;
  count.statements += queries.length;
  count.sqlMs += results.reduce((sum, { meta }) => sum + meta.duration, 0);
  count.waitedMs += performance.now() - beganAt;
}

class MeasuredStatement {
  constructor(query, statement) {
    this.query = query;
    this.statement = statement;
  }

  bind(...values) {
    return new MeasuredStatement(this.query, this.statement.bind(...values));
  }

  async all() {
    const beganAt = performance.now();
    await disturb();
    const result = await this.statement.all();
    note([this.query], [result], beganAt);
    return result;
  }

  run() {
    return this.all();
  }

  async first() {
    return (await this.all()).results[0] ?? null;
  }
}

function measured(env) {
  const DB = {
    prepare: (query) => new MeasuredStatement(query, env.DB.prepare(query)),
    batch: async (statements) => {
      const beganAt = performance.now();
      await disturb();
      const results = await env.DB.batch(statements.map(({ statement }) => statement));
      note(
        statements.map(({ query }) => query),
        results,
        beganAt,
      );
      return results;
    },
  };
  return { ...env, DB };
}

const withMeasuredD1 = (Class) =>
  class extends Class {
    constructor(ctx, env) {
      super(ctx, measured(env));
    }
  };

export const JobObject = withMeasuredD1(built.JobObject);
export const D1GatewayObject = withMeasuredD1(built.D1GatewayObject);
export const FleetObject = withMeasuredD1(built.FleetObject);
export const AlertsObject = withMeasuredD1(built.AlertsObject);

async function control(request) {
  if (request.method === 'PUT') disturbance = await request.json();
  return Response.json(counts);
}

export default {
  fetch: (request, env, ctx) =>
    new URL(request.url).pathname === '/api/bench/d1'
      ? control(request)
      : built.default.fetch(request, measured(env), ctx),
  scheduled: (event, env, ctx) => built.default.scheduled(event, measured(env), ctx),
};

/**
 * The built Worker with a count of what it asks of D1: how often, for what, and how long that took. Plain JavaScript, as
 * the runtime loads it beside the bundle. GET /api/bench/d1 answers the counts so far.
 */
import * as built from '../../dist/worker/index.js';

/** What a statement is for, by its first words that say so. */
const PURPOSES = [
  ['kill', /INSERT INTO (audit|idempotency|commands)|FROM idempotency/],
  ['token reads', /FROM (tokens|sessions)/],
  ['drains', /accepted = 0/],
  ['outbox', /INSERT INTO (jobs|runs)|UPDATE commands/],
];

const counts = {};

function note(queries, results, beganAt) {
  const purpose = PURPOSES.find(([, pattern]) => queries.some((query) => pattern.test(query)))?.[0] ?? 'other';
  counts[purpose] ??= { calls: 0, statements: 0, sqlMs: 0, waitedMs: 0, longestMs: 0 };
  const count = counts[purpose];
  const waitedMs = performance.now() - beganAt;
  count.calls += 1;
  count.statements += queries.length;
  count.sqlMs += results.reduce((sum, { meta }) => sum + meta.duration, 0);
  count.waitedMs += waitedMs;
  count.longestMs = Math.max(count.longestMs, waitedMs);
}

class CountedStatement {
  constructor(query, statement) {
    this.query = query;
    this.statement = statement;
  }

  bind(...values) {
    return new CountedStatement(this.query, this.statement.bind(...values));
  }

  async all() {
    const beganAt = performance.now();
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

function counted(env) {
  const DB = {
    prepare: (query) => new CountedStatement(query, env.DB.prepare(query)),
    batch: async (statements) => {
      const beganAt = performance.now();
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

const withCounts = (Class) =>
  class extends Class {
    constructor(ctx, env) {
      super(ctx, counted(env));
    }
  };

export const JobObject = withCounts(built.JobObject);
export const D1GatewayObject = withCounts(built.D1GatewayObject);
export const FleetObject = withCounts(built.FleetObject);

export default {
  fetch: (request, env, ctx) =>
    new URL(request.url).pathname === '/api/bench/d1'
      ? Response.json(counts)
      : built.default.fetch(request, counted(env), ctx),
  scheduled: (event, env, ctx) => built.default.scheduled(event, counted(env), ctx),
};

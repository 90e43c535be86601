import type { Env } from '../env.ts';

/**
 * Where an object is placed that calls D1 for many, or is called after each commit: near D1. Otherwise it would stay for good
 * where the first wrapper happened to connect. Only the first call of an object counts.
 */
export function nearD1({ D1_LOCATION }: Env): DurableObjectNamespaceGetDurableObjectOptions {
  // A deployment from before this setting has none.
  return D1_LOCATION === undefined || D1_LOCATION === '' ? {} : { locationHint: D1_LOCATION };
}

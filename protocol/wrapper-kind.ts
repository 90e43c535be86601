/** The programs that can supervise a run. */
import * as v from 'valibot';
import type { KillSignal } from './kill.ts';

/**
 * - `leash`: `leash run`
 * - `saltpeter`: the wrapper of Saltpeter. It reports neither a command line nor the steps of a kill, nor what survived
 */
export const WRAPPER_KINDS = ['leash', 'saltpeter'] as const;
export const WrapperKind = v.picklist(WRAPPER_KINDS);
export type WrapperKind = v.InferOutput<typeof WrapperKind>;

/** What Saltpeter's wrapper does on any kill: it sends SIGTERM, and SIGKILL after five seconds. Nothing else can be asked of it. */
export const SALTPETER_KILL = { signal: 'SIGTERM', graceMs: 5_000 } as const satisfies {
  signal: KillSignal;
  graceMs: number;
};

/**
 * What the control plane writes and calls for what happens, as Cloudflare counts it.
 *
 * One table for two readers: the row budget test fails when something takes more than its line says, and `leash cost` and
 * docs/cost.md compute with it.
 */

/** What is counted. */
export interface Work {
  /** Rows written in Durable Objects: also index entries, deleted rows, and `setAlarm`, which is one row. */
  readonly objectRows: number;
  /** Rows written in D1: also index entries and deleted rows. */
  readonly d1Rows: number;
  /** Alarms that ran. */
  readonly alarms: number;
  /** Calls of Durable Objects, by HTTP and RPC, plus one for every 20 messages that arrive on sockets. */
  readonly requests: number;
}

/** The budgets. Nobody watches, except where the line says so. */
export const BUDGETS = {
  /** A run of a known job that prints a line and ends within a minute. */
  shortRun: { objectRows: 12, d1Rows: 5, alarms: 1, requests: 8 },
  /** Its removal after retention, with its events and output. */
  runRemoval: { objectRows: 10, d1Rows: 3, alarms: 0, requests: 1 },
  /** An hour of a run that prints nothing. */
  silentHour: { objectRows: 60, d1Rows: 0, alarms: 60, requests: 0 },
  /** An hour of a run that prints a line a second, with the removal of that output. */
  lineASecondHour: { objectRows: 820, d1Rows: 0, alarms: 60, requests: 18 },
  /** A second of a run that prints 5 MB/s. */
  fastSecond: { objectRows: 20, d1Rows: 0, alarms: 0, requests: 1 },
  /** A kill of one run, with that run's end. */
  kill: { objectRows: 25, d1Rows: 8, alarms: 2, requests: 8 },
  /** A wrapper whose link broke, and that is back before its deadline. */
  reconnect: { objectRows: 6, d1Rows: 2, alarms: 0, requests: 6 },
} as const satisfies Readonly<Record<string, Work>>;

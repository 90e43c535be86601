/**
 * What the control plane writes and calls for each thing that happens often, as Cloudflare counts it.
 *
 * One table for two readers: a test fails when something costs more than its budget (worker/test/row-budget.test.ts), and
 * `leash cost` and docs/cost.md compute with the budgets. So lower a budget with its cost.
 */

/** What is billed. */
export interface Cost {
  /** Rows that Durable Objects write: also index entries, deleted rows, and one for each `setAlarm`. */
  readonly objectRows: number;
  /** Rows that D1 writes: also index entries and deleted rows. */
  readonly d1Rows: number;
  /** Part of `objectRows`. */
  readonly setAlarms: number;
  /** Part of `requests`. */
  readonly alarms: number;
  /** Of the Worker and of objects: HTTP requests, calls and alarms, and twenty messages as one. */
  readonly requests: number;
  /** Part of `requests`: those of the Worker. */
  readonly workerRequests: number;
}

/** How often a run that prints all the time sends its output while nobody watches. */
export const UNWATCHED_FRAMES_PER_MINUTE = 6;

/** Nobody watches. */
export const BUDGETS = {
  shortRun: { objectRows: 8, d1Rows: 5, setAlarms: 2, alarms: 1, requests: 7, workerRequests: 1 },
  askedRun: { objectRows: 10, d1Rows: 5, setAlarms: 2, alarms: 1, requests: 7, workerRequests: 1 },
  expectedRun: { objectRows: 9, d1Rows: 5, setAlarms: 2, alarms: 1, requests: 7, workerRequests: 1 },
  missedRun: { objectRows: 10, d1Rows: 4, setAlarms: 6, alarms: 6, requests: 12, workerRequests: 0 },
  overdueRun: { objectRows: 13, d1Rows: 12, setAlarms: 2, alarms: 1, requests: 8, workerRequests: 1 },
  skippedRun: { objectRows: 5, d1Rows: 5, setAlarms: 0, alarms: 0, requests: 6, workerRequests: 1 },
  // With room for an alerts object that is slower than D1: then the gateway sends what has happened again, by an alarm.
  reportedFailure: { objectRows: 29, d1Rows: 7, setAlarms: 7, alarms: 3, requests: 13, workerRequests: 1 },
  silentHour: { objectRows: 60, d1Rows: 0, setAlarms: 60, alarms: 60, requests: 60, workerRequests: 0 },
  lineASecondMinute: { objectRows: 7, d1Rows: 0, setAlarms: 1, alarms: 1, requests: 3, workerRequests: 0 },
  fastSecond: { objectRows: 20, d1Rows: 0, setAlarms: 0, alarms: 0, requests: 1, workerRequests: 0 },
  kill: { objectRows: 22, d1Rows: 8, setAlarms: 3, alarms: 2, requests: 8, workerRequests: 1 },
  reconnect: { objectRows: 5, d1Rows: 1, setAlarms: 2, alarms: 1, requests: 7, workerRequests: 1 },
  removal: { objectRows: 8, d1Rows: 1, setAlarms: 2, alarms: 2, requests: 3, workerRequests: 0 },
} as const satisfies Readonly<Record<string, Cost>>;

export type Budgeted = keyof typeof BUDGETS;

/** What has these costs. */
export const BUDGETED: Readonly<Record<Budgeted, string>> = {
  shortRun: 'short run of a known job',
  askedRun: 'the same, asking before its start',
  expectedRun: 'short run that is expected',
  missedRun: 'run that is late, then missed',
  overdueRun: 'short run that comes after that',
  skippedRun: 'run that asks and is skipped',
  reportedFailure: 'run that fails, and its alert',
  silentHour: 'silent run, an hour',
  lineASecondMinute: 'a line a second, unwatched, a minute',
  fastSecond: '5 MB/s, a second',
  kill: 'kill with the run’s end',
  reconnect: 'reconnect',
  removal: 'removal of an ended run',
};

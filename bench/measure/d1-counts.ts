/** What D1 was asked, for what, and what that took. */

/** As measured-worker.mjs keeps it. */
export type D1Counts = Record<
  string,
  {
    readonly calls: number;
    readonly statements: number;
    readonly sqlMs: number;
    readonly waitedMs: number;
    readonly longestMs: number;
  }
>;

/** What each bench is, and what it gets to work with. */
import type { Cleanup } from './measure/cleanup.ts';
import type { BenchResult } from './report/result.ts';

export interface BenchOptions {
  /** Few samples: to see that a bench works, not to publish what it prints. */
  readonly isQuick: boolean;
  /** For `scale`. */
  readonly wrappers: number;
  readonly jobs: readonly number[];
  /** For `page`: how many times as slow the processor looks to the page. */
  readonly slowdown: number;
  /** For `output`: what the command prints. */
  readonly outputBytes: number;
  /** The Node.js that runs the wrapper, for `wrapper` and `output`. */
  readonly node: string;
}

export interface BenchContext {
  readonly options: BenchOptions;
  /** Ends what was started, also on Ctrl-C: register at the start of whatever outlives this process. */
  readonly cleanup: Cleanup;
  /** Says what is being measured, for whoever waits. */
  progress(text: string): void;
}

export interface Bench {
  readonly name: string;
  /** What it measures, in one line. */
  readonly title: string;
  run(context: BenchContext): Promise<BenchResult>;
}

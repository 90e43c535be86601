/** Follows the output of a job's runs, and of those that start later, until the program is ended. */
import { Run } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { EXIT } from '../exit-codes.ts';
import type { OperatorContext } from '../operator-context.ts';
import { ApiError, OperatorError } from '../operator-error.ts';
import { stateAndExitText } from '../run-table.ts';
import { openWatch } from '../watch/open-watch.ts';
import type { WatchLink } from '../watch/watch-link.ts';
import { type FollowedRun, followRun, type Printing } from './follow-run.ts';

/** Each has a socket of its own. */
export const MAX_FOLLOWED = 50;
const RETRY_MS = 3_000;

export interface FollowedJob {
  readonly job: string;
  /** The runs to begin with. */
  readonly first: readonly FollowedRun[];
  /** When these were listed, by the control plane's clock: what runs later is followed as well. */
  readonly listedAtMs: number;
  isWanted(run: Run): boolean;
  prefixOf(run: Run): string;
}

/** @throws {OperatorError} it never returns */
export function followJob(followed: FollowedJob, printing: Printing, context: OperatorContext): Promise<never> {
  return new JobFollower(followed, printing, context).failed;
}

class JobFollower {
  readonly failed: Promise<never>;
  readonly #job: FollowedJob;
  readonly #printing: Printing;
  readonly #context: OperatorContext;
  readonly #known: Set<string>;
  readonly #link: WatchLink;
  #fail: (error: unknown) => void = () => {};
  #followedCount = 0;
  /** Runs that ended later than this, or have not ended, may be unknown. */
  #sinceMs: number;
  #isDown = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(job: FollowedJob, printing: Printing, context: OperatorContext) {
    this.#job = job;
    this.#printing = printing;
    this.#context = context;
    this.#sinceMs = job.listedAtMs;
    this.#known = new Set(job.first.map(({ run }) => run.id));
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = (error) => {
        this.#close();
        reject(error);
      };
    });
    for (const run of job.first) void this.#follow(run);
    this.#link = openWatch(context.api, `/jobs/${encodeURIComponent(job.job)}/watch`, {
      opened: () => this.#opened(),
      message: (message) => {
        if (message.type === 'run') this.#consider(message.run);
      },
      down: (why) => this.#down(why),
      refused: ({ status, why }) => {
        const exitCode = status === 401 || status === 403 ? EXIT.notAllowed : EXIT.outOfReach;
        this.#fail(new OperatorError(why, exitCode));
      },
    });
  }

  #close(): void {
    clearTimeout(this.#retry);
    this.#link.close();
  }

  #opened(): void {
    if (this.#isDown) this.#context.output.note('Connected again.');
    this.#isDown = false;
    void this.#listMissed();
  }

  #down(why: string): void {
    if (!this.#isDown) this.#context.output.note(`The connection is lost; trying again: ${why}`);
    this.#isDown = true;
  }

  /** Runs that started while no socket was open. */
  async #listMissed(): Promise<void> {
    clearTimeout(this.#retry);
    const { api, output } = this.#context;
    const begunAtMs = api.now();
    const query = { job: this.#job.job, since: new Date(this.#sinceMs).toISOString() };
    try {
      const runs: Run[] = [];
      for await (const { value } of api.list(Run, 'runs', { path: '/runs', query, isImpatient: true }))
        runs.push(value);
      for (const run of runs.reverse()) this.#consider(run);
      this.#sinceMs = begunAtMs;
    } catch (error) {
      if (!(error instanceof ApiError)) this.#fail(error);
      else if (error.exitCode === EXIT.notAllowed) this.#fail(error);
      else {
        output.note(error.message);
        this.#retry = setTimeout(() => void this.#listMissed(), RETRY_MS);
      }
    }
  }

  #consider(run: Run): void {
    if (this.#known.has(run.id) || !this.#job.isWanted(run) || this.#isOld(run)) return;
    this.#known.add(run.id);
    const { output } = this.#context;
    if (this.#followedCount >= MAX_FOLLOWED) {
      output.note(`Not followed, because ${MAX_FOLLOWED} other runs are: run ${run.id} on ${run.machine}.`);
      return;
    }
    output.note(`Run ${run.id} has started on ${run.machine}.`);
    void this.#follow({ run, offset: 0, before: new Uint8Array(), prefix: this.#job.prefixOf(run), isQuiet: true });
  }

  /** The socket also reports what is new about runs that ended before. */
  #isOld({ state, ended_at }: Run): boolean {
    return !isLive(state) && (ended_at === null || Date.parse(ended_at) < this.#job.listedAtMs);
  }

  async #follow(followed: FollowedRun): Promise<void> {
    this.#followedCount += 1;
    try {
      const run = await followRun(followed, this.#printing, this.#context);
      this.#context.output.note(`Run ${run.id} on ${run.machine} has ended: ${stateAndExitText(run)}.`);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#followedCount -= 1;
    }
  }
}

/** Changes that come in a burst are drawn together. */
import type { Kill, Run } from '#protocol/api';
import type { WatchMessage } from '#protocol/watch-link';
import type { ForgottenRun } from './newest.ts';

const GATHER_MS = 50;

/** What was told, each kind in its order. A run that was forgotten and came back has a higher `seq` than the forgotten one. */
export interface News {
  readonly runs: Run[];
  readonly kills: Kill[];
  readonly forgottenRuns: ForgottenRun[];
  /** By their names. */
  readonly forgottenJobs: string[];
}

export class Burst {
  readonly #flush: (news: News) => void;
  #news = nothing();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(flush: (news: News) => void) {
    this.#flush = flush;
  }

  /** Takes what concerns runs, kills and jobs; anything else is nothing to it. */
  take(message: WatchMessage): void {
    switch (message.type) {
      case 'run':
        this.#news.runs.push(message.run);
        break;
      case 'kill':
        this.#news.kills.push(message.kill);
        break;
      case 'run_forgotten':
        this.#news.forgottenRuns.push({ job: message.job, id: message.run, seq: message.seq });
        break;
      case 'job_forgotten':
        this.#news.forgottenJobs.push(message.job);
        break;
      default:
        return;
    }
    this.#timer ??= setTimeout(() => this.#end(), GATHER_MS);
  }

  /** What has been gathered is dropped. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #end(): void {
    this.#timer = undefined;
    const news = this.#news;
    this.#news = nothing();
    this.#flush(news);
  }
}

function nothing(): News {
  return { runs: [], kills: [], forgottenRuns: [], forgottenJobs: [] };
}

/** Puts a message together: what has happened, with links, and the last lines of what the run has printed. */
import type { Occurrence } from '#protocol/alerts';
import { mapConcurrent } from '#shared/map-concurrent';
import { withTimeout } from '#shared/with-timeout';
import { log } from '../../shared/log.ts';
import { readOutputTail } from '../../shared/output-tail.ts';
import { callJob } from '../../shared/rpc/job-object.ts';
import type { AlertsContext } from './alerts-context.ts';
import { lastLines } from './last-lines.ts';
import type { Message, ToldOccurrence } from './message.ts';
import type { MessageRecord } from './message-store.ts';
import type { RuleRecord } from './rule-store.ts';

/** A message names this many, and says how many there are. */
const MAX_NAMED = 20;
/** An object that hangs must not delay the message. */
const CALL_LIMIT_MS = 3_000;
const CALLS_AT_ONCE = 4;
const TAIL_BYTES = 4 * 1024;

export class Composer {
  readonly #alerts: AlertsContext;

  constructor(alerts: AlertsContext) {
    this.#alerts = alerts;
  }

  async compose(message: MessageRecord, rule: RuleRecord): Promise<Message> {
    const named = this.#alerts.occurrences.ofMessage(message.id, MAX_NAMED);
    const described = await mapConcurrent(named, CALLS_AT_ONCE, (occurrence) =>
      this.#describe(occurrence, message, rule),
    );
    const [first, ...rest] = problemFirst(described);
    if (first === undefined) throw new Error(`message ${message.id} has no occurrences`);
    return {
      id: message.id,
      alert: { id: rule.id, name: rule.name },
      at: message.closedAt ?? message.openedAt,
      occurrences: [first, ...rest],
      count: this.#alerts.occurrences.count(message.id) + message.overflow,
      tail: await this.#tail(first),
      isTest: false,
    };
  }

  async #describe(occurrence: Occurrence, message: MessageRecord, rule: RuleRecord): Promise<ToldOccurrence> {
    const { job, run } = occurrence;
    const isKillable = rule.killLink && run !== null && (await this.#isKillable(occurrence, run));
    const secret = isKillable ? this.#alerts.killLinks.mint({ rule: rule.id, message: message.id, job, run }) : null;
    return {
      ...occurrence,
      pageUrl: `${this.#alerts.origin}${pagePath(occurrence)}`,
      killUrl: secret === null ? null : `${this.#alerts.origin}/k/${secret}`,
    };
  }

  /** Whether a kill could end something of the run now. */
  async #isKillable({ job, isAlive }: Occurrence, id: string): Promise<boolean> {
    if (!isAlive) return false;
    const asked = callJob(this.#alerts.env, job, async (object) => await object.run(id));
    const run = await this.#inTime(job, asked);
    return run === null || !run.final || run.left_running.length > 0;
  }

  async #tail({ job, run }: Occurrence): Promise<string | null> {
    if (run === null) return null;
    const tail = await this.#inTime(job, readOutputTail(this.#alerts.env, { job, run }, TAIL_BYTES));
    return tail === null ? null : lastLines(tail);
  }

  /** Null if the job's object does not answer in time: the message does not wait for it. */
  async #inTime<Result>(job: string, answer: Promise<Result>): Promise<Result | null> {
    try {
      return await withTimeout(answer, CALL_LIMIT_MS, { what: `the object of ${job}` });
    } catch (error) {
      log.error('alert_incomplete', error, { job });
      return null;
    }
  }
}

function pagePath({ kind, job, run }: Occurrence): string {
  if (kind === 'channel_broken') return '/alerts';
  return run === null ? `/jobs/${job}` : `/runs/${run}?${new URLSearchParams({ job })}`;
}

/** The first one is the title: who reads on a phone that a job has recovered doesn't look for what has failed. */
function problemFirst(occurrences: readonly ToldOccurrence[]): ToldOccurrence[] {
  const problem = occurrences.find(({ kind }) => kind !== 'recovered');
  if (problem === undefined) return [...occurrences];
  return [problem, ...occurrences.filter((occurrence) => occurrence !== problem)];
}

/**
 * The link of a run that asks before its start, which the run then uses. Nothing here throws, and until the run supervises
 * its command, a fault of ours is one of the link: it must not keep the command from its start.
 */
import type { Answer, Question } from '#protocol/admission';
import type { KillMessage } from '#protocol/wrapper-link';
import type { RunAddress } from '../link/dial.ts';
import type { Link, LinkEvents, LinkState } from '../link/link.ts';
import type { ReportableRun } from '../link/reportable-run.ts';
import type { StartFacts } from '../link/run-report.ts';
import { describeError, type Log } from '../logging/log.ts';
import { AskingRun } from './asking-run.ts';

export interface ReceivedKill {
  readonly kill: KillMessage;
  /** By performance.now(). */
  readonly receivedAt: number;
}

export class AskingLink {
  /** What the run reports of its start. */
  readonly facts: StartFacts;
  /** Called when anything of what follows has changed. */
  onChange: () => void = () => {};
  answer: Answer | null = null;
  isNotUnderstood = false;
  readonly kills: ReceivedKill[] = [];
  readonly #address: RunAddress;
  readonly #log: Log;
  readonly #run: AskingRun;
  #link: Link | null = null;
  #failure: string | null = null;
  /** The events of the run that the link has become; null while it asks. */
  #events: LinkEvents | null = null;
  readonly #onFault = (error: unknown): void => this.fail(error);

  /** Loads the network code and connects. */
  constructor(address: RunAddress, facts: StartFacts, question: Question, log: Log) {
    this.facts = facts;
    this.#address = address;
    this.#log = log;
    this.#run = new AskingRun(facts, question);
    process.on('uncaughtException', this.#onFault);
    this.#open().catch((error: unknown) => this.fail(error));
  }

  get state(): LinkState {
    if (this.#failure !== null) return 'given_up';
    return this.#link?.state ?? 'connecting';
  }

  /** Why the control plane is out of reach, or has not answered. */
  get why(): string {
    return this.#failure ?? this.#link?.lastFailure ?? 'it did not answer in time';
  }

  get isReachable(): boolean {
    return this.#link !== null && this.#link.unreachableSince === null;
  }

  /** Something in the wrapper failed: it asks no more. */
  fail(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = `the wrapper failed: ${describeError(error)}`;
    this.#link?.giveUp(this.#failure);
    this.onChange();
  }

  /**
   * From now on this is the run's link.
   *
   * @param isStarted whether its command was started; otherwise its completion follows
   */
  async handOver(run: ReportableRun, events: LinkEvents, isStarted: boolean): Promise<Link> {
    process.off('uncaughtException', this.#onFault);
    this.#run.become(run);
    this.#events = events;
    this.onChange = () => {};
    const { Link } = await import('../link/link.ts');
    // Those that came while the command was being started. Before its start is reported, which names them.
    if (isStarted) for (const { kill, receivedAt } of this.kills) events.kill(kill, receivedAt);
    if (this.#link === null || this.#failure !== null) return new Link(this.#address, run, events, this.#log);
    if (isStarted) this.#link.started();
    return this.#link;
  }

  async #open(): Promise<void> {
    const { Link } = await import('../link/link.ts');
    // The run may have been started meanwhile, with a link of its own.
    if (this.#events !== null) return;
    this.#link = new Link(this.#address, this.#run, this.#linkEvents(), this.#linkLog());
  }

  #linkEvents(): Required<LinkEvents> {
    return {
      kill: (kill, receivedAt) => {
        if (this.#events !== null) return this.#events.kill(kill, receivedAt);
        this.kills.push({ kill, receivedAt });
        this.onChange();
      },
      changed: () => {
        this.#events?.changed();
        this.onChange();
      },
      answer: (answer) => {
        this.answer = answer;
        this.onChange();
      },
      notUnderstood: () => {
        this.isNotUnderstood = true;
        this.onChange();
      },
      outputLimit: (bytes) => this.#events?.outputLimit?.(bytes),
      paced: (intervalMs) => this.#events?.paced?.(intervalMs),
      watched: (isWatched) => this.#events?.watched?.(isWatched),
    };
  }

  /** While it asks, what the link warns of concerns no command: whoever asks says what follows from it. */
  #linkLog(): Log {
    return {
      warn: (line) => (this.#events === null ? this.#log.info(line) : this.#log.warn(line)),
      info: (line) => this.#log.info(line),
    };
  }
}

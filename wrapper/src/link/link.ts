/** The run's link to the control plane: connects, runs a session, and reconnects. Nothing here affects the command. */
import { performance } from 'node:perf_hooks';
import type { Answer } from '#protocol/admission';
import { HEARTBEAT, RECONNECT_CAP_MS } from '#protocol/limits';
import type { Usage } from '#protocol/usage';
import type { Killing, KillMessage } from '#protocol/wrapper-link';
import { withJitter } from '#shared/with-jitter';
import { LongTimer } from '../clock/long-timer.ts';
import { TokenBucket } from '../clock/token-bucket.ts';
import type { Log } from '../logging/log.ts';
import { type Connection, type ConnectionEnd, describeWay, dial, type Handlers, type RunAddress } from './dial.ts';
import { InboundBudget } from './inbound-budget.ts';
import { type LinkAction, LinkProtocol } from './link-protocol.ts';
import { pauseAfterFailureMs, pauseAfterLossMs, pauseWhileBusyMs } from './pauses.ts';
import type { ReportableRun } from './reportable-run.ts';

/** The state of the link. */
export type LinkState =
  /** An attempt is in progress or about to start, and none has failed since the start or since the last connection. */
  | 'connecting'
  /** The last attempt failed; another one follows, or is in progress. */
  | 'offline'
  | 'connected'
  /** The control plane refuses the run; it is asked again from time to time. */
  | 'refused'
  /** The control plane will never accept this run: no process asks again. */
  | 'rejected'
  /** The wrapper failed: this process does not try again. */
  | 'given_up'
  /** Everything is stored there. */
  | 'all_stored';

export interface LinkEvents {
  /** @param receivedAt by performance.now() */
  kill(kill: KillMessage, receivedAt: number): void;
  /** The state has changed, or something was stored. */
  changed(): void;
  /** To what the run asks before its start. */
  answer?(answer: Answer): void;
  /** The control plane is too old to know what the run asks. */
  notUnderstood?(): void;
  /** How much of a run's output the control plane keeps. */
  outputLimit?(bytes: number): void;
  /** Output is sent this often, or more often; null: there is no connection. */
  paced?(intervalMs: number | null): void;
  /** Whether a person looks at the run. */
  watched?(isWatched: boolean): void;
}

/** A refusal is a person's mistake, and takes a person's time to fix. */
const REFUSED_PAUSE_MS = 60_000;
const CLOSE_WAIT_MS = 250;
/** A connection that lasts this long, or on which something is stored, works; any other counts as a failed attempt. */
const LASTING_MS = 5_000;

/**
 * Limits reconnects on a network that breaks again and again, whatever the control plane does on each connection, and
 * however short the pauses are that it asks for.
 */
const BURST_DIALS = 200;
const DIALS_PER_SECOND = 1;
/** The control plane may send nonsense: log lines about that must not fill a log file. */
const BURST_LINES = 200;
const LINES_PER_SECOND = 0.1;

export class Link {
  readonly #address: RunAddress;
  readonly #record: ReportableRun;
  readonly #events: LinkEvents;
  readonly #log: Log;
  readonly #deadline = new LongTimer(now, () => this.#tick());
  readonly #redial = new LongTimer(now, () => this.#dial());
  #state: LinkState = 'connecting';
  #connection: Connection | null = null;
  #session: LinkProtocol | null = null;
  #open = false;
  #attempt = 0;
  #capMs = RECONNECT_CAP_MS;
  /** What the session asked for when it hung up. */
  #retry: 'yes' | 'later' | 'never' = 'later';
  #lastFailure: string | null = null;
  #warned = new Set<string>();
  readonly #inbound = new InboundBudget(now);
  readonly #dials = new TokenBucket(BURST_DIALS, DIALS_PER_SECOND, now);
  readonly #logLimit = new TokenBucket(BURST_LINES, LINES_PER_SECOND, now);
  #suppressedLines = 0;
  /** How often the control plane has sent far too much. */
  #floods = 0;
  #progressAt: number | null = null;
  #acceptedAt: number | null = null;
  #hasBeenAccepted = false;
  /** The next attempt is at the time that a busy control plane has named. */
  #isAskedToWait = false;
  #unreachableSince: number | null = now();
  /** Called when a connection that was closed has ended. */
  #closed: () => void = () => {};

  constructor(address: RunAddress, record: ReportableRun, events: LinkEvents, log: Log) {
    this.#address = address;
    this.#record = record;
    this.#events = events;
    this.#log = log;
    this.#dial();
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Why the last connection or attempt ended; null before that. */
  get lastFailure(): string | null {
    return this.#lastFailure;
  }

  /** When (performance.now()) the control plane last accepted us or stored something; null: never. */
  get progressAt(): number | null {
    return this.#progressAt;
  }

  /** Since when (performance.now()) the control plane has been out of reach; null while it isn't. */
  get unreachableSince(): number | null {
    return this.#unreachableSince;
  }

  outputGrew(): void {
    this.#withSession((session) => session.outputGrew(now()));
  }

  /** Output for which `read` returned `later` may be readable now. */
  outputReadable(): void {
    this.#withSession((session) => session.outputReadable(now()));
  }

  killing(killing: Killing): void {
    this.#withSession((session) => session.killing(killing, now()));
  }

  usage(usage: Usage): void {
    this.#withSession((session) => session.usage(usage));
  }

  /** The record's `left` or `keepsLinkOpen` has changed. */
  leftChanged(): void {
    this.#withSession((session) => session.leftChanged(now()));
  }

  /** The run, which has asked before its start, has started: reports it; between two attempts, connects at once. */
  started(): void {
    this.#withSession((session) => session.started(now()));
    this.#connectNow();
  }

  /** The record has its completion: sends it; between two attempts, connects at once. */
  completed(): void {
    this.#withSession((session) => session.completed(now()));
    this.#connectNow();
  }

  #connectNow(): void {
    if (this.#connection !== null || this.#isAskedToWait) return;
    if (this.#state !== 'offline' && this.#state !== 'connecting') return;
    this.#attempt = 0;
    this.#dial();
  }

  /** Ends the link permanently, with a closing handshake if it is open. Resolves within CLOSE_WAIT_MS. */
  async close(): Promise<void> {
    const connection = this.#connection;
    const wasOpen = this.#open;
    this.#stop(this.#state === 'all_stored' ? 'all_stored' : 'given_up');
    if (connection === null) return;
    if (!wasOpen) return connection.terminate('the run is over');
    await new Promise<void>((resolve) => {
      this.#closed = resolve;
      setTimeout(resolve, CLOSE_WAIT_MS).unref();
      connection.close();
    });
  }

  /** Something in the wrapper failed: the link is dropped, the command is not. */
  giveUp(why: string): void {
    this.#lastFailure = why;
    const connection = this.#connection;
    this.#stop('given_up');
    this.#events.paced?.(null);
    connection?.terminate(why);
    this.#events.changed();
  }

  #stop(state: 'all_stored' | 'given_up'): void {
    this.#redial.clear();
    this.#deadline.clear();
    this.#session = null;
    this.#connection = null;
    this.#open = false;
    this.#state = state;
  }

  #dial(): void {
    this.#redial.clear();
    const session = new LinkProtocol(this.#record, now());
    this.#session = session;
    this.#open = false;
    this.#retry = 'later';
    this.#isAskedToWait = false;
    this.#log.info(`connecting to ${describeWay(this.#address.controlPlane)}`);
    this.#dials.take();
    const handlers: Handlers = {
      opened: () => {
        if (this.#session !== session) return;
        this.#open = true;
        this.#withSession(() => session.opened(now()));
      },
      text: (frame) => {
        if (this.#session === session) this.#withSession(() => session.received(frame, now()));
      },
      otherFrame: () => session.onOtherFrame(now()),
      ended: (ending) => {
        if (this.#session === session) this.#ended(ending);
        else this.#closed();
      },
    };
    this.#connection = dial(this.#address, handlers, this.#inbound, this.#disconnectedMs);
  }

  /** For how long the run has been disconnected; null: it was never connected. */
  get #disconnectedMs(): number | null {
    return this.#hasBeenAccepted && this.#unreachableSince !== null ? now() - this.#unreachableSince : null;
  }

  #tick(): void {
    this.#withSession((session) => session.tick(now()));
  }

  #withSession(use: (session: LinkProtocol) => LinkAction[]): void {
    const session = this.#session;
    if (session === null || !this.#open) return;
    for (const action of use(session)) {
      // A kill may have ended the session that it came with.
      if (this.#session !== session) return;
      this.#perform(action);
    }
    if (this.#session === session) this.#deadline.set(session.deadline());
  }

  #perform(action: LinkAction): void {
    switch (action.kind) {
      case 'send':
        this.#connection?.send(JSON.stringify(action.message));
        return;
      case 'send_output':
        this.#connection?.sendOutput(action.frame);
        return;
      case 'send_heartbeat':
        this.#connection?.send(HEARTBEAT);
        return;
      case 'accepted':
        this.#acceptedAt = now();
        this.#hasBeenAccepted = true;
        this.#unreachableSince = null;
        this.#capMs = action.reconnectCapMs;
        this.#events.paced?.(action.intervalMs);
        this.#events.watched?.(action.isWatched);
        if (action.outputLimitBytes !== null) this.#events.outputLimit?.(action.outputLimitBytes);
        this.#warned.clear();
        if (this.#state !== 'connected') this.#log.info('connected');
        this.#setState('connected');
        return;
      case 'answer':
        this.#events.answer?.(action.answer);
        return;
      case 'not_understood':
        this.#events.notUnderstood?.();
        return;
      case 'paced':
        this.#events.paced?.(action.intervalMs);
        this.#events.watched?.(action.isWatched);
        return;
      case 'stored':
        this.#attempt = 0;
        this.#progressAt = now();
        this.#events.changed();
        return;
      case 'kill':
        this.#events.kill(action.kill, action.receivedAt);
        return;
      case 'all_stored':
        this.#setState('all_stored');
        return;
      case 'hang_up':
        this.#retry = action.retry;
        this.#connection?.terminate(action.why);
        return;
      case 'note':
        this.#logWithinLimit(action.text);
        return;
    }
  }

  #logWithinLimit(text: string): void {
    if (!this.#logLimit.take()) {
      this.#suppressedLines += 1;
      return;
    }
    this.#log.info(this.#suppressedLines === 0 ? text : `${text} (and ${this.#suppressedLines} similar lines)`);
    this.#suppressedLines = 0;
  }

  #setState(state: LinkState): void {
    this.#state = state;
    if (state === 'connected') this.#progressAt = now();
    this.#events.changed();
  }

  #ended(ending: ConnectionEnd): void {
    const wasAllStored = this.#state === 'all_stored';
    const session = this.#session;
    const acceptedAt = this.#acceptedAt;
    this.#session = null;
    this.#connection = null;
    this.#open = false;
    this.#acceptedAt = null;
    this.#deadline.clear();
    this.#lastFailure = ending.why;
    this.#log.info(`not connected: ${ending.why}`);
    if (wasAllStored) return;
    this.#events.paced?.(null);
    this.#events.watched?.(false);
    // Not since now: a silent link has not worked since the last frame.
    this.#unreachableSince ??= session?.lastFrameAt ?? now();
    if (ending.kind === 'rejected' || this.#retry === 'never') {
      this.#warnOnce(`${ending.why}; the command keeps running, but the control plane can no longer see or stop it`);
      this.#setState('rejected');
      return;
    }
    this.#redialAfter(ending, acceptedAt);
  }

  /** @param acceptedAt when the control plane had accepted the run on the connection that ended; null: it had not */
  #redialAfter(ending: Exclude<ConnectionEnd, { kind: 'rejected' }>, acceptedAt: number | null): void {
    switch (ending.kind) {
      case 'refused':
        this.#warnOnce(`not supervised: ${ending.why.replace(/\.$/, '')}; the command keeps running`);
        this.#dialAfter(withJitter(REFUSED_PAUSE_MS));
        this.#setState('refused');
        return;
      case 'busy':
        // Not a failure: the control plane is there, and everyone gets in at a time of their own.
        this.#isAskedToWait = true;
        this.#dialAfter(pauseWhileBusyMs(ending.pauseMs));
        this.#setState(this.#state === 'connecting' ? 'connecting' : 'offline');
        return;
      case 'flooded':
        this.#floods += 1;
        if (this.#floods === 1)
          this.#log.warn(`disconnected: ${ending.why}; the command keeps running, and leash will reconnect`);
        // The control plane can't shorten the pause, and what it has stored meanwhile does not count.
        this.#dialAfter(pauseAfterLossMs(this.#floods, RECONNECT_CAP_MS));
        this.#setState('offline');
        return;
      case 'lost':
        if (acceptedAt !== null && now() - acceptedAt >= LASTING_MS) this.#attempt = 0;
        this.#dialAfter(this.#pause(acceptedAt !== null));
        this.#setState(acceptedAt === null ? 'offline' : 'connecting');
        return;
    }
  }

  #pause(wasConnected: boolean): number {
    const attempt = this.#attempt;
    this.#attempt += 1;
    // At once when asked to, and for a run that has ended and will not wait long; but only once: a peer that closes every
    // connection gets the usual pauses.
    const isUrgent = this.#retry === 'yes' || this.#record.completion !== null;
    if (isUrgent && attempt === 0) return 0;
    return (wasConnected ? pauseAfterLossMs : pauseAfterFailureMs)(attempt, this.#capMs);
  }

  #dialAfter(pauseMs: number): void {
    this.#redial.set(now() + Math.max(pauseMs, this.#dials.waitMs));
  }

  #warnOnce(line: string): void {
    if (this.#warned.has(line)) return;
    this.#warned.add(line);
    this.#log.warn(line);
  }
}

function now(): number {
  return performance.now();
}

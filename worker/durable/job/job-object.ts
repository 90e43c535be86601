/**
 * The object behind one job name: the only writer of that job's runs and of its kills' progress.
 *
 * Its truth is in its SQLite. It may be evicted at any moment, so memory holds nothing that matters; what must happen
 * later is a row behind its one alarm.
 */
import { DurableObject } from 'cloudflare:workers';
import type { Kill, Run, RunEvent } from '#protocol/api';
import { WATCH_SUBPROTOCOL } from '#protocol/watch-link';
import { WRAPPER_SUBPROTOCOL } from '#protocol/wrapper-link';
import { type Credential, readCredential } from '../../shared/credential.ts';
import { purgeJob } from '../../shared/d1/jobs.ts';
import type { Env } from '../../shared/env.ts';
import { log } from '../../shared/log.ts';
import type { JobObjectRpc, OutputExtent, OutputPage } from '../../shared/rpc/job-object.ts';
import type { Credentials } from '../sockets/credentials.ts';
import { answerClose, upgrade } from '../sockets/upgrade.ts';
import { fullBecause, fullResponse } from '../sockets/viewer-limits.ts';
import type { Deadline, DeadlineBook } from './deadlines.ts';
import type { EventLog } from './event-log.ts';
import { createJobComponents } from './job-components.ts';
import type { KillController } from './kill-controller.ts';
import type { KillStore } from './kill-store.ts';
import type { Liveness } from './liveness.ts';
import type { Namesakes } from './namesakes.ts';
import type { Outbox } from './outbox.ts';
import type { OutputBounds } from './output-bounds.ts';
import type { OutputLog } from './output-log.ts';
import type { QueueDrain } from './queue-drain.ts';
import type { Retention } from './retention.ts';
import { hasLeftProcesses, type RunStore, runResource } from './run-store.ts';
import { begin, isBlank, migrate } from './schema.ts';
import {
  type Attachment,
  attachmentOf,
  close,
  type Sockets,
  send,
  sendToViewer,
  type WrapperAttachment,
} from './sockets.ts';
import type { ViewerMessages } from './viewer-messages.ts';
import type { Viewers } from './viewers.ts';
import type { WrapperMessages } from './wrapper-messages.ts';

/** What fails in an alarm is tried again after this long. */
const RETRY_MS = 5_000;

export class JobObject extends DurableObject<Env> implements JobObjectRpc {
  readonly #job: string;
  readonly #runs: RunStore;
  readonly #events: EventLog;
  readonly #output: OutputLog;
  readonly #sockets: Sockets;
  readonly #deadlines: DeadlineBook;
  readonly #outbox: Outbox;
  readonly #viewers: Viewers;
  readonly #killController: KillController;
  readonly #liveness: Liveness;
  readonly #namesakes: Namesakes;
  readonly #wrapperMessages: WrapperMessages;
  readonly #viewerMessages: ViewerMessages;
  readonly #kills: KillStore;
  readonly #bounds: OutputBounds;
  readonly #retention: Retention;
  /** Whether there are no tables: nothing has been stored yet, or nothing is left. */
  #isBlank: boolean;
  readonly #credentials: Credentials;
  readonly #drain: QueueDrain;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const components = createJobComponents(ctx, env, {
      run: (id) => this.run(id),
      kill: (id) => this.kill(id),
      namesake: (run, otherJob) => this.#namesakes.found(run, otherJob),
      accept: (kill) => this.#accept(kill),
      socketGone: (socket) => this.#socketGone(socket),
    });
    this.#job = components.job;
    this.#runs = components.runs;
    this.#events = components.events;
    this.#output = components.output;
    this.#sockets = components.sockets;
    this.#deadlines = components.deadlines;
    this.#outbox = components.outbox;
    this.#viewers = components.viewers;
    this.#killController = components.killController;
    this.#liveness = components.liveness;
    this.#namesakes = components.namesakes;
    this.#wrapperMessages = components.wrapperMessages;
    this.#viewerMessages = components.viewerMessages;
    this.#kills = components.kills;
    this.#bounds = components.bounds;
    this.#retention = components.retention;
    this.#credentials = components.credentials;
    this.#drain = components.drain;
    this.#isBlank = isBlank(ctx.storage);
    if (this.#isBlank) return;
    migrate(ctx.storage);
    this.#liveness.reconcile();
    this.#retention.attend();
  }

  // --- what the Worker calls: see JobObjectRpc ---

  override fetch(request: Request): Response {
    this.#begin();
    const url = new URL(request.url);
    const { run = '', instance = '', machine = '', kill = '' } = Object.fromEntries(url.searchParams);
    const credentialTag = () => this.#credentials.tagFor(readCredential(url.searchParams));
    switch (url.pathname) {
      case '/connect':
        return upgrade(WRAPPER_SUBPROTOCOL, (socket) => {
          this.#sockets.acceptWrapper(socket, { run, instance, machine }, credentialTag());
          this.#liveness.dialled();
        });
      case '/watch':
        return this.#watch(readCredential(url.searchParams));
      case '/wait':
        return upgrade(WATCH_SUBPROTOCOL, (socket) => this.#killController.wait(socket, kill));
      default:
        throw new Error(`a job object is not asked for ${url.pathname}`);
    }
  }

  acceptKills(kills: readonly Kill[]): Kill[] {
    this.#begin();
    for (const kill of kills) {
      try {
        this.#accept(kill);
      } catch (error) {
        // It stays in the queue, and keeps none of the others back.
        log.error('kill_not_taken', error, { request: kill.request_id, job: this.#job, kill: kill.id });
      }
    }
    this.#dropBehind();
    return kills.map((kill) => this.#killController.get(kill.id) ?? kill);
  }

  wouldFind(kill: Kill): boolean {
    return !this.#isBlank && this.#killController.wouldFind(kill);
  }

  kill(id: string): Kill | null {
    return this.#isBlank ? null : this.#killController.get(id);
  }

  run(id: string): Run | null {
    const run = this.#isBlank ? null : this.#runs.get(id);
    return run === null ? null : runResource(this.#job, run);
  }

  knows(run: string | null): boolean {
    if (this.#isBlank) return false;
    return run === null ? !this.#runs.isEmpty() : this.#runs.get(run) !== null;
  }

  noteNamesake(run: string, otherJob: string): void {
    if (!this.#isBlank) this.#namesakes.note(run, otherJob);
  }

  events(run: string, after: number, limit: number): RunEvent[] {
    return this.#isBlank ? [] : this.#events.list(run, after, limit);
  }

  outputExtent(run: string): OutputExtent {
    if (this.#isBlank) return { end: 0, lost: [] };
    const end = this.#runs.get(run)?.outputEnd ?? 0;
    return { end, lost: this.#output.lost(run) };
  }

  outputPage(run: string, from: number, to: number, maxBytes: number): OutputPage {
    return { pieces: this.#isBlank ? [] : this.#output.read(run, from, to, maxBytes) };
  }

  async checkCredentials(token: string): Promise<void> {
    this.#begin();
    await this.#credentials.check(token);
    await this.#clearIfUnused();
  }

  async lookAfter(): Promise<void> {
    this.#begin();
    await this.#drain.run();
    this.#meetDeadlines();
    await this.#outbox.send();
    await this.#clearIfUnused();
  }

  // --- what the runtime calls ---

  override webSocketMessage(socket: WebSocket, frame: string | ArrayBuffer): void {
    this.#begin();
    const attachment = attachmentOf(socket);
    try {
      // All of a message or nothing: a run that ended while its kills did not would never be put right.
      this.ctx.storage.transactionSync(() => {
        this.#receive(socket, attachment, frame);
      });
      this.#dropBehind();
    } catch (error) {
      // A fault of ours. Every message is repeated until it is acked: on a new connection this one comes again.
      log.error('message_failed', error, { job: this.#job });
      // What was undone may have set the alarm.
      this.#deadlines.ringNext();
      send(socket, { type: 'error', code: 'internal', message: 'the control plane failed: try again', retry: 'later' });
      close(socket, 1011, 'internal');
    }
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    this.#socketGone(socket);
    answerClose(socket, code);
  }

  override webSocketError(socket: WebSocket, error: unknown): void {
    log.warn('socket_failed', { job: this.#job, error: String(error) });
    this.#socketGone(socket);
  }

  override alarm(): void {
    if (!this.#isBlank) this.#meetDeadlines();
  }

  // --- details ---

  #watch(credential: Credential): Response {
    const reason = fullBecause(this.ctx, credential.token);
    if (reason !== null) return fullResponse(reason);
    return upgrade(WATCH_SUBPROTOCOL, (socket) => {
      this.#sockets.acceptViewer(socket, credential.token, this.#credentials.tagFor(credential));
      this.#viewers.opened();
      // It goes on to read lists, which D1 answers.
      const { runs, kills } = this.#outbox.pending();
      for (const run of runs) sendToViewer(socket, { type: 'run', run });
      for (const kill of kills) sendToViewer(socket, { type: 'kill', kill });
    });
  }

  /** Makes the tables, before the first thing that is to be kept. */
  #begin(): void {
    if (!this.#isBlank) return;
    this.ctx.storage.transactionSync(() => {
      begin(this.ctx.storage, this.#job);
      this.#retention.attend();
    });
    this.#isBlank = false;
  }

  /** Leaves nothing behind, here and in D1, once nobody needs it: the next start begins afresh. Never throws. */
  async #clearIfUnused(): Promise<void> {
    if (this.#isInUse()) return;
    try {
      await purgeJob(this.env.DB, this.#job);
      await this.env.FLEET.getByName('fleet').publishForgotten(this.#job);
      // Someone may have come meanwhile.
      if (this.#isInUse()) return;
      await this.#credentials.forget();
      if (this.#isInUse()) return;
      await this.ctx.blockConcurrencyWhile(async () => {
        this.#isBlank = true;
        this.#deadlines.forgotten();
        await this.ctx.storage.deleteAll();
      });
      log.info('job_cleared', { job: this.#job });
    } catch (error) {
      // The daily deadline is still set, or the sweep comes by.
      log.error('clear_failed', error, { job: this.#job });
    }
  }

  #isInUse(): boolean {
    return (
      this.#isBlank ||
      !this.#runs.isEmpty() ||
      !this.#kills.isEmpty() ||
      !this.#outbox.isEmpty ||
      this.#drain.isUnderWay ||
      this.#credentials.isChecking ||
      this.#deadlines.has('drain', '') ||
      this.#sockets.isAnyOpen
    );
  }

  /** All of it or nothing: a kill that was stored while its targets were not would pass for known, and reach nobody. */
  #accept(kill: Kill): void {
    try {
      this.ctx.storage.transactionSync(() => this.#killController.accept(kill));
    } catch (error) {
      // What was undone may have set the alarm.
      this.#deadlines.ringNext();
      throw error;
    }
  }

  #receive(socket: WebSocket, attachment: Attachment, frame: string | ArrayBuffer): void {
    switch (attachment.kind) {
      case 'wrapper':
        this.#receiveFromWrapper(socket, attachment, frame);
        return;
      case 'viewer':
        this.#sockets.heard(socket, attachment);
        this.#viewerMessages.receive(socket, attachment, frame);
        return;
      case 'waiter':
        return;
    }
  }

  #receiveFromWrapper(socket: WebSocket, attachment: WrapperAttachment, frame: string | ArrayBuffer): void {
    this.#wrapperMessages.receive(socket, attachment, frame);
    // A wrapper that has just introduced itself may be what a kill in the queue waits for.
    const introduced = attachment.generation === null && generationOf(socket) !== null;
    if (introduced) this.ctx.waitUntil(this.#drain.runSoon());
  }

  #socketGone(socket: WebSocket): void {
    if (this.#isBlank) return;
    this.ctx.waitUntil(this.#clearIfUnused());
    const attachment = attachmentOf(socket);
    switch (attachment.kind) {
      case 'wrapper': {
        const run = this.#runs.get(attachment.run);
        if (run?.connected && this.#sockets.speaksFor(socket, run)) this.#liveness.linkLost(run);
        return;
      }
      case 'viewer':
        if (attachment.follows !== null) this.#viewerMessages.adjustFlow(attachment.follows.run, socket);
        return;
      case 'waiter':
        return;
    }
  }

  #meetDeadlines(): void {
    for (const deadline of this.#deadlines.takeDue(Date.now())) {
      try {
        this.ctx.storage.transactionSync(() => this.#meet(deadline));
      } catch (error) {
        // One that fails must not keep the others from being met.
        log.error('deadline_failed', error, { job: this.#job, kind: deadline.kind, subject: deadline.subject });
        this.#deadlines.arm(deadline.kind, deadline.subject, Date.now() + RETRY_MS);
      }
    }
    this.#dropBehind();
    this.#deadlines.ringNext();
  }

  /** After something was sent: hangs up on viewers that leave too much of it unread. */
  #dropBehind(): void {
    for (const run of this.#viewers.dropBehind()) this.#viewerMessages.adjustFlow(run);
  }

  #meet(deadline: Deadline): void {
    switch (deadline.kind) {
      case 'silence':
        this.#liveness.checkSilence();
        return;
      case 'viewers':
        for (const run of this.#viewers.dropSilent()) this.#viewerMessages.adjustFlow(run);
        return;
      case 'probe':
        this.#liveness.probeDue(deadline);
        return;
      case 'disconnect':
        this.#liveness.disconnectDue(deadline);
        return;
      case 'kill_answer':
        this.#killUnanswered(deadline.subject);
        return;
      case 'expire':
        this.#killController.expire(deadline.subject);
        return;
      case 'outbox':
        // Taken out above: should the object end while D1 is being asked, the next alarm brings it back.
        this.#deadlines.arm('outbox', '', Date.now() + RETRY_MS);
        this.ctx.waitUntil(this.#outbox.send());
        return;
      case 'drain':
        this.ctx.waitUntil(this.#drain.run());
        return;
      case 'trim':
        this.#bounds.trim(deadline.subject);
        return;
      case 'retain':
        this.#retention.step();
        this.ctx.waitUntil(this.#clearIfUnused());
        return;
      case 'credential_check':
        this.ctx.waitUntil(this.#credentials.check(deadline.subject));
        return;
      case 'credential_end':
        this.#credentials.endDue();
        return;
    }
  }

  #killUnanswered(id: string): void {
    const run = this.#runs.get(id);
    if (run === null || (run.final && !hasLeftProcesses(run))) return;
    if (this.#killController.unanswered(run)) this.#liveness.dropLink(run);
  }
}

function generationOf(socket: WebSocket): number | null {
  const attachment = attachmentOf(socket);
  return attachment.kind === 'wrapper' ? attachment.generation : null;
}

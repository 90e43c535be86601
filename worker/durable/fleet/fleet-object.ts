/**
 * The one object that sends every change to open dashboards, after it is committed to D1. It stores nothing but the
 * credentials of its sockets.
 */
import { DurableObject } from 'cloudflare:workers';
import { CLOSE_CODES } from '#protocol/close-codes';
import { matchesGlob } from '#protocol/glob';
import { HEARTBEAT } from '#protocol/limits';
import { readViewerMessage, WATCH_SUBPROTOCOL, type WatchMessage } from '#protocol/watch-link';
import { type Credential, readCredential } from '../../shared/credential.ts';
import { withBoundD1 } from '../../shared/d1/bound-d1.ts';
import { FLEET } from '../../shared/d1/open-sockets.ts';
import type { Env } from '../../shared/env.ts';
import type { PublishedChanges } from '../../shared/job-changes.ts';
import { log } from '../../shared/log.ts';
import { reportViewer } from '../../shared/rpc/d1-gateway.ts';
import type { FleetObjectRpc } from '../../shared/rpc/fleet-object.ts';
import { AlarmScheduler, DEADLINES_TABLE } from '../job/alarm-scheduler.ts';
import { CREDENTIALS_TABLE, Credentials, credentialTag } from '../sockets/credentials.ts';
import { answerClose, upgrade } from '../sockets/upgrade.ts';
import { type Backlog, NO_BACKLOG, readUpTo, sendCounted, tooFarBehind } from '../sockets/viewer-backlog.ts';
import {
  closeViewers,
  exceededViewerLimit,
  SILENT_VIEWER,
  tooManyViewers,
  VIEWER_BEHIND,
  VIEWER_TAG,
  ViewerSilence,
  viewerTags,
} from '../sockets/viewer-limits.ts';

/** Stored with a viewer's socket. */
interface Attachment {
  /** A glob of the jobs whose changes it is sent; null for none, only for what concerns all. */
  readonly jobs: string | null;
  /** When it connected, or last sent anything but a heartbeat. */
  readonly heardAt: number;
  readonly backlog: Backlog;
}

interface Viewer extends Attachment {
  readonly socket: WebSocket;
}

export class FleetObject extends DurableObject<Env> implements FleetObjectRpc {
  readonly #deadlines: AlarmScheduler;
  readonly #credentials: Credentials;
  readonly #silence: ViewerSilence<Viewer>;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, withBoundD1(env));
    ctx.storage.sql.exec(DEADLINES_TABLE + CREDENTIALS_TABLE);
    this.#deadlines = new AlarmScheduler(ctx.storage);
    this.#credentials = new Credentials({ state: ctx, env, deadlines: this.#deadlines }, FLEET, () => {});
    this.#silence = new ViewerSilence(
      this.#deadlines,
      () => this.#viewers(),
      ({ socket, heardAt }) => Math.max(heardAt, ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0),
    );
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(HEARTBEAT, HEARTBEAT));
    void ctx.blockConcurrencyWhile(() => this.#deadlines.start(() => this.#silence.watch()));
  }

  override async fetch(request: Request): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const credential = readCredential(searchParams);
    const jobs = searchParams.get('only') === 'brakes' ? null : (searchParams.get('jobs') ?? '');
    const reason = exceededViewerLimit(this.ctx, credential.token);
    if (reason !== null) return tooManyViewers(reason);
    let viewer: WebSocket | undefined;
    // Accepted first: when the gateway asks whether anyone watches, this viewer counts.
    const response = upgrade(WATCH_SUBPROTOCOL, (socket) => {
      viewer = socket;
      this.#accept(socket, credential, jobs);
    });
    // It needs no changes published.
    if (jobs === null) return response;
    try {
      await reportViewer(this.env);
      return response;
    } catch (error) {
      log.error('viewer_not_reported', error);
      viewer?.close(1011);
      return new Response(null, { status: 503 });
    }
  }

  #accept(socket: WebSocket, credential: Credential, jobs: Attachment['jobs']): void {
    this.ctx.acceptWebSocket(socket, [...viewerTags(credential.token), credentialTag(credential)]);
    this.#credentials.opened(credential);
    attach(socket, { jobs, heardAt: Date.now(), backlog: NO_BACKLOG });
    this.#silence.watch();
  }

  publish({ runs, kills, removedRuns, expectations = [], removedExpectations = [] }: PublishedChanges): boolean {
    return this.#broadcast([
      ...runs.map((run) => addressed(run.job, { type: 'run', run })),
      ...kills.map((kill) => addressed(kill.job, { type: 'kill', kill })),
      ...removedRuns.map(({ job, id, seq }) => addressed(job, { type: 'run_removed', job, run: id, seq })),
      ...expectations.map((expectation) => addressed(expectation.job, { type: 'expectation', expectation })),
      ...removedExpectations.map(({ job, id, seq }) =>
        addressed(job, { type: 'expectation_removed', job, machine: id === '' ? null : id, seq }),
      ),
    ]);
  }

  resync(): void {
    for (const { socket, jobs } of this.#viewers()) {
      if (jobs !== null) socket.close(CLOSE_CODES.missed, 'changes were missed: fetch them');
    }
  }

  brakesChanged(): void {
    // Not which: each viewer reads those that it may see.
    this.#broadcast([addressed(null, { type: 'brakes' })]);
  }

  publishJobRemoved(job: string): void {
    this.#broadcast([addressed(job, { type: 'job_removed', job })]);
  }

  checkCredentials(token: string): Promise<void> {
    return this.#credentials.check(token);
  }

  override alarm(): void {
    this.#deadlines.alarmUnset();
    for (const { kind, subject } of this.#deadlines.removeDue(Date.now())) {
      if (kind === 'credential_check') this.ctx.waitUntil(this.#credentials.check(subject));
      else if (kind === 'credential_end') this.#credentials.endDue();
      else if (kind === 'viewers') closeViewers(this.#silence.due(), SILENT_VIEWER);
    }
    this.#deadlines.ensureAlarm();
  }

  /** Dashboards only listen: besides heartbeats they send how far they have read. */
  override webSocketMessage(socket: WebSocket, frame: string | ArrayBuffer): void {
    const read = typeof frame === 'string' ? readViewerMessage(frame) : null;
    if (read?.kind !== 'message' || read.message.type !== 'pong') return;
    const attachment = attachmentOf(socket);
    attach(socket, { ...attachment, heardAt: Date.now(), backlog: readUpTo(attachment.backlog, read.message.sent) });
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    answerClose(socket, code);
  }

  /** @returns whether any viewer of changes is connected */
  #broadcast(messages: readonly Addressed[]): boolean {
    const viewers = this.#viewers().map((viewer) => sendVisible(viewer, messages));
    closeViewers(tooFarBehind(viewers), VIEWER_BEHIND);
    return viewers.some(({ jobs }) => jobs !== null);
  }

  #viewers(): Viewer[] {
    return this.ctx
      .getWebSockets(VIEWER_TAG)
      .filter(({ readyState }) => readyState === WebSocket.OPEN)
      .map((socket) => ({ socket, ...attachmentOf(socket) }));
  }
}

/** Sends a viewer the messages that it may see. */
function sendVisible(viewer: Viewer, messages: readonly Addressed[]): Viewer {
  const { socket, ...attachment } = viewer;
  const { jobs } = attachment;
  const seen = messages.filter(({ job }) => job === null || (jobs !== null && matchesGlob(jobs, job)));
  if (seen.length === 0) return viewer;
  const backlog = seen.reduce((before, { text }) => sendCounted(socket, before, text), attachment.backlog);
  attach(socket, { ...attachment, backlog });
  return { ...viewer, backlog };
}

function attachmentOf(socket: WebSocket): Attachment {
  return socket.deserializeAttachment() as Attachment;
}

function attach(socket: WebSocket, attachment: Attachment): void {
  socket.serializeAttachment(attachment);
}

interface Addressed {
  /** Null: every viewer may see it. */
  readonly job: string | null;
  readonly text: string;
}

function addressed(job: string | null, message: WatchMessage): Addressed {
  return { job, text: JSON.stringify(message) };
}

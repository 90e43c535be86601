/**
 * The one object that tells overview pages of every change, after it is committed to D1. It keeps nothing but what its
 * sockets were opened with.
 */
import { DurableObject } from 'cloudflare:workers';
import { matchesGlob } from '#protocol/glob';
import { HEARTBEAT } from '#protocol/limits';
import { WATCH_SUBPROTOCOL, type WatchMessage } from '#protocol/watch-link';
import { readCredential } from '../credential.ts';
import type { Env } from '../env.ts';
import { FLEET } from '../src/db/open-sockets.ts';
import type { News } from './changes.ts';
import { CREDENTIALS_TABLE, Credentials } from './credentials.ts';
import { DEADLINES_TABLE, DeadlineBook } from './job/deadlines.ts';
import { answerClose, upgrade } from './web-sockets.ts';

/** What a viewer may see. Kept in the socket's attachment. */
interface Rights {
  readonly jobs: string;
}

export class FleetObject extends DurableObject<Env> {
  readonly #deadlines: DeadlineBook;
  readonly #credentials: Credentials;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.storage.sql.exec(DEADLINES_TABLE + CREDENTIALS_TABLE);
    this.#deadlines = new DeadlineBook(ctx.storage);
    this.#credentials = new Credentials(ctx, env, FLEET, this.#deadlines, () => {});
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(HEARTBEAT, HEARTBEAT));
  }

  /** Takes the upgrade of a viewer, whom the Worker has authorised to see the jobs that `?jobs=` names. */
  override fetch(request: Request): Response {
    const { searchParams } = new URL(request.url);
    const rights: Rights = { jobs: searchParams.get('jobs') ?? '' };
    const tag = this.#credentials.tagFor(readCredential(searchParams));
    return upgrade(WATCH_SUBPROTOCOL, (socket) => {
      this.ctx.acceptWebSocket(socket, [tag]);
      socket.serializeAttachment(rights);
    });
  }

  publish({ runs, commands, forgottenRuns }: News): void {
    this.#tell([
      ...runs.map((run) => addressed(run.job, { type: 'run', run })),
      ...commands.map((command) => addressed(command.job, { type: 'command', command })),
      ...forgottenRuns.map(({ job, id, seq }) => addressed(job, { type: 'run_forgotten', job, run: id, seq })),
    ]);
  }

  /** Nothing is left of a job, in D1 either. */
  publishForgotten(job: string): void {
    this.#tell([addressed(job, { type: 'job_forgotten', job })]);
  }

  /** Something of a token has ended: closes the sockets that were opened with it. */
  checkCredentials(token: string): Promise<void> {
    return this.#credentials.check(token);
  }

  override alarm(): void {
    for (const { kind, subject } of this.#deadlines.takeDue(Date.now())) {
      if (kind === 'credential_check') this.ctx.waitUntil(this.#credentials.check(subject));
      else if (kind === 'credential_end') this.#credentials.endDue();
    }
    this.#deadlines.ringNext();
  }

  /** Overview pages only listen; what they say besides heartbeats is ignored. */
  override webSocketMessage(): void {}

  override webSocketClose(socket: WebSocket, code: number): void {
    answerClose(socket, code);
  }

  #tell(messages: readonly Addressed[]): void {
    for (const socket of this.ctx.getWebSockets()) {
      if (socket.readyState !== WebSocket.OPEN) continue;
      const { jobs } = socket.deserializeAttachment() as Rights;
      for (const { job, text } of messages) if (matchesGlob(jobs, job)) socket.send(text);
    }
  }
}

interface Addressed {
  readonly job: string;
  readonly text: string;
}

function addressed(job: string, message: WatchMessage): Addressed {
  return { job, text: JSON.stringify(message) };
}

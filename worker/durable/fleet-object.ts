/** The one object that tells overview pages of every change, after it is committed to D1. It keeps nothing. */
import { DurableObject } from 'cloudflare:workers';
import { HEARTBEAT } from '#protocol/limits';
import { WATCH_SUBPROTOCOL, type WatchMessage } from '#protocol/watch-link';
import type { Env } from '../env.ts';
import { matchesGlob } from '../glob.ts';
import type { Changes } from './changes.ts';
import { answerClose, upgrade } from './web-sockets.ts';

/** What a viewer may see. Kept in the socket's attachment. */
interface Rights {
  readonly jobs: string;
}

export class FleetObject extends DurableObject<Env> {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(HEARTBEAT, HEARTBEAT));
  }

  /** Takes the upgrade of a viewer, whom the Worker has authorised to see the jobs that `?jobs=` names. */
  override fetch(request: Request): Response {
    const rights: Rights = { jobs: new URL(request.url).searchParams.get('jobs') ?? '' };
    return upgrade(WATCH_SUBPROTOCOL, (socket) => {
      this.ctx.acceptWebSocket(socket);
      socket.serializeAttachment(rights);
    });
  }

  publish(changes: Changes): void {
    const messages = [
      ...changes.runs.map((run) => addressed(run.job, { type: 'run', run })),
      ...changes.commands.map((command) => addressed(command.job, { type: 'command', command })),
    ];
    for (const socket of this.ctx.getWebSockets()) {
      if (socket.readyState !== WebSocket.OPEN) continue;
      const { jobs } = socket.deserializeAttachment() as Rights;
      for (const { job, text } of messages) if (matchesGlob(jobs, job)) socket.send(text);
    }
  }

  /** Overview pages only listen; what they say besides heartbeats is ignored. */
  override webSocketMessage(): void {}

  override webSocketClose(socket: WebSocket, code: number): void {
    answerClose(socket, code);
  }
}

function addressed(job: string, message: WatchMessage): { job: string; text: string } {
  return { job, text: JSON.stringify(message) };
}

/** What the object does when a frame arrives or a socket closes, by whose socket it is. */
import { log } from '../../shared/log.ts';
import type { JobContext } from './job-context.ts';
import { type Attachment, attachmentOf, close, sendToWrapper, type WrapperAttachment } from './sockets.ts';

export class SocketEvents {
  readonly #job: JobContext;

  constructor(job: JobContext) {
    this.#job = job;
  }

  received(socket: WebSocket, frame: string | ArrayBuffer): void {
    const attachment = attachmentOf(socket);
    try {
      // All of a message or nothing: a run that ended while its kills did not would never be corrected.
      this.#job.storage.transaction(() => this.#receive(socket, attachment, frame));
      this.#job.viewers.closeBehind();
    } catch (error) {
      // Our fault. Every message is repeated until it is acked: this one arrives again on a new connection.
      log.error('message_failed', error, { job: this.#job.name });
      sendToWrapper(socket, {
        type: 'error',
        code: 'internal',
        message: 'the control plane failed; try again',
        retry: 'later',
      });
      close(socket, 1011, 'internal');
    }
  }

  closed(socket: WebSocket): void {
    this.#job.startTimeout.stop(socket);
    if (this.#job.storage.isUninitialized) return;
    this.#job.state.waitUntil(this.#job.storage.clearIfUnused());
    const attachment = attachmentOf(socket);
    switch (attachment.kind) {
      case 'wrapper': {
        this.#job.outputFlush.linkClosed(attachment.run);
        const run = this.#job.runs.get(attachment.run);
        if (run?.connected && this.#job.sockets.speaksFor(socket, run)) this.#job.liveness.linkClosed(run);
        return;
      }
      case 'viewer':
        if (attachment.follows !== null) this.#job.viewers.adjustFlow(attachment.follows.run, socket);
        return;
      case 'waiter':
        return;
    }
  }

  #receive(socket: WebSocket, attachment: Attachment, frame: string | ArrayBuffer): void {
    switch (attachment.kind) {
      case 'wrapper':
        if (attachment.saltpeter === undefined) this.#job.wrapperMessages.receive(socket, attachment, frame);
        else this.#job.saltpeterMessages.receive(socket, attachment, attachment.saltpeter, frame);
        if (attachment.generation === null && hasGeneration(socket)) this.#started(socket, attachment);
        return;
      case 'viewer':
        this.#job.sockets.heard(socket, attachment);
        this.#job.viewers.receive(socket, attachment, frame);
        return;
      case 'waiter':
        return;
    }
  }

  /** A wrapper has sent its `start`. */
  #started(socket: WebSocket, { credential }: WrapperAttachment): void {
    this.#job.startTimeout.stop(socket);
    this.#job.credentials.opened(credential);
    // A kill in the queue may be waiting for it.
    this.#job.state.waitUntil(this.#job.queueDrain.runSoon());
  }
}

function hasGeneration(socket: WebSocket): boolean {
  const attachment = attachmentOf(socket);
  return attachment.kind === 'wrapper' && attachment.generation !== null;
}

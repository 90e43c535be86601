/** What the object does with each message of a viewer; and what a run's wrapper learns of being watched. */
import { readViewerMessage } from '#protocol/watch-link';
import { log } from '../../shared/log.ts';
import type { RunStore } from './run-store.ts';
import { type Sockets, send, sendToViewer, type ViewerAttachment } from './sockets.ts';
import type { Viewers } from './viewers.ts';

export class ViewerMessages {
  readonly #job: string;
  readonly #runs: RunStore;
  readonly #sockets: Sockets;
  readonly #viewers: Viewers;

  constructor(job: string, runs: RunStore, sockets: Sockets, viewers: Viewers) {
    this.#job = job;
    this.#runs = runs;
    this.#sockets = sockets;
    this.#viewers = viewers;
  }

  receive(socket: WebSocket, attachment: ViewerAttachment, frame: string | ArrayBuffer): void {
    const read = typeof frame === 'string' ? readViewerMessage(frame) : null;
    if (read?.kind !== 'message') {
      const code = read?.kind === 'unknown_type' ? 'unknown_type' : 'bad_frame';
      log.warn('viewer_refused', { job: this.#job, code });
      sendToViewer(socket, { type: 'error', code, message: 'a viewer may send `subscribe`, `ack` and `pong`' });
      return;
    }
    this.#viewers.receive(socket, attachment, read.message);
    if (read.message.type !== 'subscribe') return;
    const before = attachment.follows?.run;
    if (before !== undefined && before !== read.message.run) this.adjustFlow(before);
    this.adjustFlow(read.message.run);
  }

  /**
   * Tells a run's wrapper whether someone watches.
   *
   * @param leaving a viewer that does not count any more
   */
  adjustFlow(id: string, leaving?: WebSocket): void {
    const run = this.#runs.get(id);
    const socket = run === null ? null : this.#sockets.current(run);
    if (socket !== null) send(socket, { type: 'flow', mode: this.#viewers.flow(id, leaving) });
  }
}

/** A receiver of alerts, which can be in trouble. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import * as v from 'valibot';
import { WebhookBody } from '#protocol/alerts';

/**
 * - `refuses`: it answers 500
 * - `hangs`: it answers when the trouble is over
 * - `drops`: it takes a message, and hangs up without an answer
 */
export type ReceiverTrouble = 'refuses' | 'hangs' | 'drops';

export class Receiver {
  readonly url: string;
  /** All that has reached it, whatever it answered. */
  readonly messages: WebhookBody[] = [];
  onMessage: (message: WebhookBody) => void = () => {};
  readonly #server: Server;
  readonly #hanging: ServerResponse[] = [];
  #trouble: ReceiverTrouble | null = null;
  #onHeld: () => void = () => {};

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    server.on('request', (request, response) => void this.#receive(request, response));
  }

  static async open(): Promise<Receiver> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Receiver(server);
  }

  begin(trouble: ReceiverTrouble): void {
    this.#trouble = trouble;
  }

  /** Resolves when a message has come that it does not answer. */
  heldOne(): Promise<void> {
    return new Promise((resolve) => {
      this.#onHeld = resolve;
    });
  }

  mend(): void {
    this.#trouble = null;
    for (const response of this.#hanging.splice(0)) response.writeHead(204).end();
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request).catch(() => null);
    // The control plane was killed as it sent.
    if (body === null) return;
    const message = v.parse(WebhookBody, JSON.parse(body));
    this.messages.push(message);
    this.onMessage(message);
    switch (this.#trouble) {
      case null:
        response.writeHead(204).end();
        return;
      case 'refuses':
        response.writeHead(500).end();
        return;
      case 'hangs':
        this.#hanging.push(response);
        this.#onHeld();
        return;
      case 'drops':
        response.destroy();
        return;
    }
  }
}

/** What every object's WebSockets need. */

/** Responds to an upgrade. `accept` must use the hibernation API, or the object never hibernates. */
export function upgrade(subprotocol: string | null, accept: (server: WebSocket) => void): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  accept(server);
  const headers = new Headers(subprotocol === null ? {} : { 'Sec-WebSocket-Protocol': subprotocol });
  return new Response(null, { status: 101, webSocket: client, headers });
}

/** Answers a peer's close. Without an answer a clean close hangs for ten seconds and ends as 1006. */
export function answerClose(socket: WebSocket, code: number): void {
  // Codes below 3000 belong to the protocol: some of them must not be sent, and the others say no more than 1000.
  socket.close(code >= 3000 && code < 5000 ? code : 1000);
}

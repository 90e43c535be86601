/** Codes with which an object closes a WebSocket, besides the standard ones. */
export const CLOSE_CODES = {
  /** The run has a newer socket. */
  superseded: 4001,
  /** The peer was silent for too long, or a kill was not answered: reconnect. */
  unresponsive: 4002,
  /** A viewer has left too much unread: reconnect and fetch. */
  behind: 4003,
  /** Changes could not be sent to a viewer: reconnect and fetch. */
  missed: 4004,
  /** The peer violated the protocol. */
  protocol: 4400,
  /** The token or session has ended: the response to a new upgrade says why. */
  unauthorized: 4401,
  /** The run id belongs to another key: don't reconnect. */
  conflict: 4409,
} as const;

/** Why a WebSocket was closed by the object, beyond the standard codes. */
export const CLOSE_CODES = {
  /** A newer socket speaks for this run. */
  superseded: 4001,
  /** Nothing was heard for too long, or a kill stayed unanswered: dial again. */
  unresponsive: 4002,
  /** A viewer has left too much unread: dial again, and fetch. */
  behind: 4003,
  /** The peer broke the protocol. */
  protocol: 4400,
  /** The token or session it was opened with has ended: dialling again is answered by what became of that. */
  unauthorized: 4401,
  /** The run id belongs to another key. Do not dial again. */
  conflict: 4409,
} as const;

/** Sizes and times that both ends must agree on. A change here is a change of the wire protocol. */

export const KIB = 1024;
export const MIB = 1024 * KIB;

/** The largest binary output frame, header included. */
export const MAX_OUTPUT_FRAME_BYTES = 256 * KIB;

/** The largest text frame: many times the size of the largest `start`. */
export const MAX_TEXT_FRAME_CHARS = 64 * KIB;

/** How much unacked output may be in flight, so that a completion never waits behind a backlog. */
export const MAX_UNACKED_BYTES = 512 * KIB;

/** How much output a viewer may leave unacked before it has to fetch instead. */
export const MAX_VIEWER_UNACKED_BYTES = MIB;

/** Longer command lines are truncated. */
export const MAX_COMMAND_LINE_BYTES = 4 * KIB;

/** How many processes that a command has left running are reported. */
export const MAX_LEFT_PROCESSES = 64;

/** The longest command line of one of those. */
export const MAX_LEFT_COMMAND_BYTES = KIB;

/** How many related processes are reported. */
export const MAX_RELATED_PROCESSES = 32;

/** The longest command line of one of those, and of its parent. */
export const MAX_RELATED_COMMAND_BYTES = 256;

/** The heartbeat's text frame. The runtime replies with the same frame, without waking the object. */
export const HEARTBEAT = 'hb';

/** How often a wrapper sends a heartbeat. */
export const HEARTBEAT_INTERVAL_MS = 5_000;

/** A wrapper reconnects after this long without a frame. */
export const WRAPPER_SILENCE_MS = 15_000;

/**
 * A viewer is disconnected after this long without a frame. It sends heartbeats as a wrapper does, but browsers run the
 * timers of a background tab only once a minute.
 */
export const VIEWER_SILENCE_MS = 90_000;

/** How much is sent to a viewer before the next `ping`. */
export const VIEWER_PING_BYTES = 32 * KIB;

/** A viewer that leaves more than this unread is disconnected. */
export const MAX_VIEWER_UNREAD_BYTES = 4 * MIB;

/** How much all viewers of one object may leave unread together: an object has 128 MB of memory. */
export const MAX_UNREAD_BYTES = 64 * MIB;

/** How many viewers one object may have. */
export const MAX_VIEWERS = 500;

/** How many of them with one token, including its sessions. */
export const MAX_VIEWERS_PER_TOKEN = 100;

/** The longest pause between two attempts to connect. */
export const RECONNECT_CAP_MS = 10_000;

/** The default time between the first signal and SIGKILL. */
export const DEFAULT_GRACE_MS = 5_000;

/** The longest grace: a day. */
export const MAX_GRACE_MS = 24 * 60 * 60 * 1000;

/** How many globs of jobs or machines one call, alert or brake may have. */
export const MAX_GLOBS = 20;

/** The longest reason of a kill or brake. */
export const MAX_REASON_CHARS = 500;

/** How many runs one call may name. */
export const MAX_KILLED_RUNS = 500;

/** The longest that a brake may stand: thirty days. */
export const MAX_BRAKE_MS = 30 * 24 * 60 * 60 * 1000;

/** How many brakes may be active at a time: all are read whenever wrappers connect. */
export const MAX_BRAKES = 100;

/** How long a kill matches runs that connect late, by default. */
export const KILL_TTL_MS = 10 * 60 * 1000;

/** The longest `?wait=`. */
export const MAX_WAIT_SECONDS = 60;

/** How long an old secret may stay valid: thirty days. */
export const MAX_OLD_SECRET_SECONDS = 30 * 24 * 60 * 60;

/** The minimum length of `LEASH_ADMIN_TOKEN`. */
export const MIN_ADMIN_TOKEN_CHARS = 24;

/** Sizes and times that both ends must agree on. A change here is a change of the wire protocol. */

export const KIB = 1024;
export const MIB = 1024 * KIB;

/** The largest binary output frame, header included. */
export const MAX_OUTPUT_FRAME_BYTES = 256 * KIB;

/** The largest text frame: a `start` with its 4 KiB command line and its list of applied kills fits many times over. */
export const MAX_TEXT_FRAME_CHARS = 64 * KIB;

/** Output that may be in flight unacked, so that a completion never waits behind a backlog. */
export const MAX_UNACKED_BYTES = 512 * KIB;

/** Output a viewer may leave unacked before it is told to fetch instead. */
export const MAX_VIEWER_UNACKED_BYTES = MIB;

/** The longest command line that is reported; the rest is cut. */
export const MAX_COMMAND_LINE_BYTES = 4 * KIB;

/** How many processes that a command has left running are named. */
export const MAX_LEFT_PROCESSES = 64;

/** The longest command line of one of those. */
export const MAX_LEFT_COMMAND_BYTES = KIB;

/** How many processes are named that are related to a run and not killed with it. */
export const MAX_RELATED_PROCESSES = 32;

/** The longest command line of one of those, and of its parent. */
export const MAX_RELATED_COMMAND_BYTES = 256;

/** The text frame that says "still here", answered in kind by the runtime without waking the object. */
export const HEARTBEAT = 'hb';

/** How often a wrapper sends a heartbeat. */
export const HEARTBEAT_INTERVAL_MS = 5_000;

/** How long either end bears silence on a link before it doubts it: the wrapper hangs up and dials again. */
export const WRAPPER_SILENCE_MS = 15_000;

/**
 * How long the object bears silence of a viewer before it hangs up. A viewer sends heartbeats as a wrapper does, but a
 * page in the background gets its timers only once a minute.
 */
export const VIEWER_SILENCE_MS = 90_000;

/** How much is sent to a viewer before it is asked whether it has read that. */
export const VIEWER_PING_BYTES = 32 * KIB;

/** How much a viewer may leave unread, output and all else together, before the object hangs up. */
export const MAX_VIEWER_UNREAD_BYTES = 4 * MIB;

/** How much all viewers of one object may leave unread together: an object has 128 MB. */
export const MAX_UNREAD_BYTES = 64 * MIB;

/** How many viewers one object has. */
export const MAX_VIEWERS = 500;

/** How many of them with one token, the sessions opened with it included. */
export const MAX_VIEWERS_PER_TOKEN = 100;

/** The longest pause between two attempts to connect. */
export const RECONNECT_CAP_MS = 10_000;

/** The grace between SIGTERM and SIGKILL when nobody names one. */
export const DEFAULT_GRACE_MS = 5_000;

/** The longest grace that can be asked for: a day. */
export const MAX_GRACE_MS = 24 * 60 * 60 * 1000;

/** How many runs one call may name to be killed. */
export const MAX_KILLED_RUNS = 500;

/** How long a kill keeps matching runs that connect late. */
export const KILL_TTL_MS = 10 * 60 * 1000;

/** The longest `?wait=`. */
export const MAX_WAIT_SECONDS = 60;

/** The longest that a secret outlives its rotation: thirty days. */
export const MAX_OLD_SECRET_SECONDS = 30 * 24 * 60 * 60;

/** The shortest `LEASH_ADMIN_TOKEN` that is accepted. */
export const MIN_ADMIN_TOKEN_CHARS = 24;

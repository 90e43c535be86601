/**
 * `leash.watch.v1`: what a page or the CLI hears of runs as they change.
 *
 * `/watch` (the Fleet object) sends `run` and `kill` of every job the viewer may read, and what is kept no longer. `/jobs/{job}/watch` (the job's
 * object) sends those of the job, and to a viewer that subscribed to a run also its events and its output, in binary
 * frames (`output-frame.ts`). One that comes hears first of what has changed and is not in the lists yet: whoever fetches
 * those once the link is open, and keeps what has the higher `seq`, misses nothing. A viewer acks the output it has taken; one that falls too far behind gets `behind` and
 * fetches the rest over HTTPS.
 *
 * A runtime does not say how much of what was sent is still on its way. So the object asks, now and then, by `ping`, and a
 * viewer that has read as far as that answers `pong`. One that leaves too much unread is hung up on.
 */
import * as v from 'valibot';
import { Kill, Run, RunEvent } from './api.ts';
import { JobName, RunId } from './names.ts';
import { textFrameReader } from './text-frame.ts';

export const WATCH_SUBPROTOCOL = 'leash.watch.v1';

const Offset = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** How much output is wanted; all of it where this is missing. */
const WantedBytes = v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1)));

/**
 * Follow one run's events, and its output from `offset`. Replaces an earlier subscription of this socket.
 *
 * @property tail from where at most so many bytes lie before the end, those that are missing not counted
 */
const Subscribe = v.object({
  type: v.literal('subscribe'),
  run: RunId,
  offset: Offset,
  bytes: WantedBytes,
  tail: WantedBytes,
});
/** Taken: output up to `offset`. */
const ViewerAck = v.object({ type: v.literal('ack'), run: RunId, offset: Offset });

/** Read: all that was sent before the `ping` with this number. */
const Pong = v.object({ type: v.literal('pong'), sent: Offset });

export type ViewerMessage =
  | v.InferOutput<typeof Subscribe>
  | v.InferOutput<typeof ViewerAck>
  | v.InferOutput<typeof Pong>;
export const readViewerMessage = textFrameReader({ subscribe: Subscribe, ack: ViewerAck, pong: Pong });

/** The subscription stands: what follows is complete from here on. */
const Subscribed = v.object({ type: v.literal('subscribed'), run: RunId, offset: Offset });
const RunChanged = v.object({ type: v.literal('run'), run: Run });
const KillChanged = v.object({ type: v.literal('kill'), kill: Kill });
/** Kept long enough: there is no such run any more. One with a higher `seq` is another, of the same id. */
const RunForgotten = v.object({
  type: v.literal('run_forgotten'),
  job: JobName,
  run: RunId,
  seq: v.pipe(v.number(), v.safeInteger()),
});
/** Nothing is left of the job: it is in no list any more. Only `/watch` tells this. */
const JobForgotten = v.object({ type: v.literal('job_forgotten'), job: JobName });
const EventHappened = v.object({ type: v.literal('event'), run: RunId, event: RunEvent });
/** The bytes [from, to) are missing for ever. `begin`: those from there on as well, where a subscription began within the gap. */
const OutputGap = v.object({
  type: v.literal('gap'),
  run: RunId,
  from: Offset,
  to: Offset,
  begin: v.optional(Offset),
});
/** Too much is unacked: nothing more is sent until the viewer subscribes again, wherever it likes to go on. */
const Behind = v.object({ type: v.literal('behind'), run: RunId, offset: Offset });
/** To be answered by `pong` with the same number: how much was sent before. */
const Ping = v.object({ type: v.literal('ping'), sent: Offset });
const WatchError = v.object({ type: v.literal('error'), code: v.string(), message: v.string() });

export type WatchMessage =
  | v.InferOutput<typeof Subscribed>
  | v.InferOutput<typeof RunChanged>
  | v.InferOutput<typeof KillChanged>
  | v.InferOutput<typeof RunForgotten>
  | v.InferOutput<typeof JobForgotten>
  | v.InferOutput<typeof EventHappened>
  | v.InferOutput<typeof OutputGap>
  | v.InferOutput<typeof Behind>
  | v.InferOutput<typeof Ping>
  | v.InferOutput<typeof WatchError>;
export const readWatchMessage = textFrameReader({
  subscribed: Subscribed,
  run: RunChanged,
  kill: KillChanged,
  run_forgotten: RunForgotten,
  job_forgotten: JobForgotten,
  event: EventHappened,
  gap: OutputGap,
  behind: Behind,
  ping: Ping,
  error: WatchError,
});

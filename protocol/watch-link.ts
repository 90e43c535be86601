/**
 * `leash.watch.v1`: how a dashboard or the CLI follows runs.
 *
 * `/watch` (the fleet object) sends changed runs, kills and expectations of every job that the viewer may read, and what
 * was purged.
 * `/jobs/{job}/watch` (the job's object) sends those of the job, and after a subscription to a run also its events and its
 * output, in binary frames (`output-frame.ts`). A new viewer is first sent the changes that the lists don't have yet: a
 * viewer that fetches the lists after it has connected, and keeps what has the higher `seq`, misses nothing. A viewer acks
 * output; one that falls too far behind gets `behind` and fetches the rest over HTTPS.
 *
 * The runtime doesn't say how much of what was sent is unread. So the object sends a `ping` now and then, and a viewer that
 * has read up to it replies with `pong`. A viewer that leaves too much unread is disconnected.
 */
import * as v from 'valibot';
import { Kill, Run, RunEvent } from './api.ts';
import { Expectation } from './expectations.ts';
import { JobName, MachineName, RunId } from './names.ts';
import { textFrameReader } from './text-frame.ts';
import { Usage } from './usage.ts';

export const WATCH_SUBPROTOCOL = 'leash.watch.v1';

const Offset = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** How much output is wanted; by default all. */
const WantedBytes = v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1)));

/**
 * Follow one run's events, and its output from `offset`. Replaces an earlier subscription of this socket.
 *
 * @property tail start where at most this many bytes remain, not counting missing ones
 */
const Subscribe = v.object({
  type: v.literal('subscribe'),
  run: RunId,
  offset: Offset,
  bytes: WantedBytes,
  tail: WantedBytes,
});
/** The viewer has processed output up to `offset`. */
const ViewerAck = v.object({ type: v.literal('ack'), run: RunId, offset: Offset });

/** The viewer has read everything before the `ping` with this number. */
const Pong = v.object({ type: v.literal('pong'), sent: Offset });

export type ViewerMessage =
  | v.InferOutput<typeof Subscribe>
  | v.InferOutput<typeof ViewerAck>
  | v.InferOutput<typeof Pong>;
export const readViewerMessage = textFrameReader({ subscribe: Subscribe, ack: ViewerAck, pong: Pong });

/** The subscription has begun: what follows is complete from here on. */
const Subscribed = v.object({ type: v.literal('subscribed'), run: RunId, offset: Offset });
const RunChanged = v.object({ type: v.literal('run'), run: Run });
const KillChanged = v.object({ type: v.literal('kill'), kill: Kill });
/** The run was purged. A run with a higher `seq` is another one with the same id. */
const RunRemoved = v.object({
  type: v.literal('run_removed'),
  job: JobName,
  run: RunId,
  seq: v.pipe(v.number(), v.safeInteger()),
});
const ExpectationChanged = v.object({ type: v.literal('expectation'), expectation: Expectation });
/** An operator has removed it. One with a higher `seq` was set after that. */
const ExpectationRemoved = v.object({
  type: v.literal('expectation_removed'),
  job: JobName,
  machine: v.nullable(MachineName),
  seq: v.pipe(v.number(), v.safeInteger()),
});
/** Nothing is left of the job. Only on `/watch`. */
const JobRemoved = v.object({ type: v.literal('job_removed'), job: JobName });
const EventHappened = v.object({ type: v.literal('event'), run: RunId, event: RunEvent });
/** What the processes of the followed run take now. Of a moment: it is sent every few seconds, and never again. */
const UsageChanged = v.object({ type: v.literal('usage'), run: RunId, usage: Usage });
/** The bytes [from, to) are permanently missing. `begin`: where the gap begins, if the subscription began within it. */
const OutputGap = v.object({
  type: v.literal('gap'),
  run: RunId,
  from: Offset,
  to: Offset,
  begin: v.optional(Offset),
});
/** Brakes were set or ended: read them again. Only on `/watch`. */
const BrakesChanged = v.object({ type: v.literal('brakes') });
/** Too much output is unacked: no more is sent until the viewer subscribes again, at any offset. */
const Behind = v.object({ type: v.literal('behind'), run: RunId, offset: Offset });
/** Reply with `pong` and the same number, which says how much was sent before. */
const Ping = v.object({ type: v.literal('ping'), sent: Offset });
const WatchError = v.object({ type: v.literal('error'), code: v.string(), message: v.string() });

export type WatchMessage =
  | v.InferOutput<typeof Subscribed>
  | v.InferOutput<typeof RunChanged>
  | v.InferOutput<typeof KillChanged>
  | v.InferOutput<typeof RunRemoved>
  | v.InferOutput<typeof ExpectationChanged>
  | v.InferOutput<typeof ExpectationRemoved>
  | v.InferOutput<typeof JobRemoved>
  | v.InferOutput<typeof BrakesChanged>
  | v.InferOutput<typeof EventHappened>
  | v.InferOutput<typeof UsageChanged>
  | v.InferOutput<typeof OutputGap>
  | v.InferOutput<typeof Behind>
  | v.InferOutput<typeof Ping>
  | v.InferOutput<typeof WatchError>;
export const readWatchMessage = textFrameReader({
  subscribed: Subscribed,
  run: RunChanged,
  kill: KillChanged,
  run_removed: RunRemoved,
  expectation: ExpectationChanged,
  expectation_removed: ExpectationRemoved,
  job_removed: JobRemoved,
  brakes: BrakesChanged,
  event: EventHappened,
  usage: UsageChanged,
  gap: OutputGap,
  behind: Behind,
  ping: Ping,
  error: WatchError,
});

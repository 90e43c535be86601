/**
 * What the wrapper of Saltpeter (0.9) and `/compat/saltpeter` say to each other: JSON text frames, distinguished by
 * `type`, without a subprotocol.
 *
 * Each frame of a wrapper names its job, instance and machine. A connection carries one run. After a reconnect the wrapper
 * repeats only what was not acknowledged, so its first frame may be any of these.
 */
import * as v from 'valibot';
import { EXIT_ERRORED, type RawExit } from './run-state.ts';
import { textFrameReader } from './text-frame.ts';

/** How a run is named on this link, as the wrapper says it: any text. */
const NameText = v.pipe(v.string(), v.minLength(1), v.maxLength(255));
export const SaltpeterNames = v.object({ job_name: NameText, job_instance: NameText, machine: NameText });
export type SaltpeterNames = v.InferOutput<typeof SaltpeterNames>;

/** The number of a frame of output, from 0. */
const Seq = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** The number of the last such frame; -1 for none. */
const LastSeq = v.pipe(v.number(), v.safeInteger(), v.minValue(-1));
const Pid = v.pipe(v.number(), v.safeInteger(), v.minValue(1));

const frame = <const Type extends string, const Entries extends v.ObjectEntries>(type: Type, entries: Entries) =>
  v.object({ type: v.literal(type), ...SaltpeterNames.entries, ...entries });

const Connect = frame('connect', {});
const Start = frame('start', {
  pid: v.fallback(v.nullable(Pid), null),
  version: v.fallback(v.pipe(v.string(), v.maxLength(64)), 'unknown'),
});
const Heartbeat = frame('heartbeat', {});
const Output = frame('output', {
  seq: Seq,
  data: v.string(),
  /** All that the command prints is `stdout`; `stderr` is what the wrapper itself adds. */
  stream: v.optional(v.picklist(['stdout', 'stderr']), 'stdout'),
});
const SyncRequest = frame('sync_request', { last_acked_seq: LastSeq, next_seq: Seq });
const Complete = frame('complete', {
  /** -n when signal n ended the command. */
  retcode: v.pipe(v.number(), v.safeInteger()),
  /** How many frames of output the wrapper has made. */
  seq: v.optional(v.nullable(Seq), null),
});

export type SaltpeterStart = v.InferOutput<typeof Start>;
export type SaltpeterOutput = v.InferOutput<typeof Output>;
export type SaltpeterSyncRequest = v.InferOutput<typeof SyncRequest>;
export type SaltpeterComplete = v.InferOutput<typeof Complete>;
export type SaltpeterMessage =
  | v.InferOutput<typeof Connect>
  | SaltpeterStart
  | v.InferOutput<typeof Heartbeat>
  | SaltpeterOutput
  | SaltpeterSyncRequest
  | SaltpeterComplete;

/**
 * The longest frame. The wrapper sends up to 512,000 characters of output at a time, each of which takes up to twelve in
 * JSON: six million.
 */
export const MAX_SALTPETER_FRAME_CHARS = 16 * 1024 * 1024;

export const readSaltpeterMessage = textFrameReader(
  {
    connect: Connect,
    start: Start,
    heartbeat: Heartbeat,
    output: Output,
    sync_request: SyncRequest,
    complete: Complete,
  },
  MAX_SALTPETER_FRAME_CHARS,
);

/** Whether two frames are of the same run. */
export function areSameNames(one: SaltpeterNames, other: SaltpeterNames): boolean {
  return one.job_name === other.job_name && one.job_instance === other.job_instance && one.machine === other.machine;
}

/**
 * - `ack`: the frame is stored
 * - `nack`: a frame of output is missing before this one
 * - `sync_response`: output is stored up to and including this frame. Never -1, which means that the run is unknown
 * - `error`: the frame can't be taken. A wrapper whose command has ended gives up, and logs the output on its machine
 */
export type SaltpeterReply =
  | { readonly type: 'ack'; readonly ack_type: 'connect' | 'start' | 'complete' }
  | { readonly type: 'ack'; readonly ack_type: 'output'; readonly seq: number }
  | {
      readonly type: 'nack';
      readonly nack_type: 'out_of_order';
      readonly expected_seq: number;
      readonly received_seq: number;
    }
  | { readonly type: 'sync_response'; readonly last_seq: number }
  | ({ readonly type: 'kill' } & SaltpeterNames)
  | { readonly type: 'error'; readonly code: string; readonly message: string };

/** A reply as it is sent. */
export function encodeSaltpeterReply(reply: SaltpeterReply, now: Date): string {
  return JSON.stringify({ ...reply, timestamp: now.toISOString() });
}

/** Linux's signals, from 1. */
const SIGNALS = (
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT ' +
  'CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'
).split(' ');
const MAX_SIGNAL = 64;

/** Reads a `retcode`: an exit code, or -n for signal n. Anything else is no exit of a process, and counts as 255. */
export function readRetcode(retcode: number): RawExit {
  if (retcode >= -MAX_SIGNAL && retcode < 0) {
    return { kind: 'signaled', signal: `SIG${SIGNALS[-retcode - 1] ?? -retcode}`, signalNumber: -retcode };
  }
  return { kind: 'exited', code: retcode >= 0 && retcode <= 255 ? retcode : EXIT_ERRORED };
}

/** What ended the command, as the wrapper itself says in the last line that it adds to the output. */
export type SaltpeterNote = 'timeout' | 'kill';

/** Reads that line: it is all that the wrapper ever sends on `stderr`, because it merges the command's own into `stdout`. */
export function readNote({ stream, data }: Pick<SaltpeterOutput, 'stream' | 'data'>): SaltpeterNote | null {
  if (stream !== 'stderr') return null;
  if (/^\n\[Job exceeded timeout of \S{1,20} seconds\]\n$/.test(data)) return 'timeout';
  return data === '\n[Job terminated by user request]\n' ? 'kill' : null;
}

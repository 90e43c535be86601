/**
 * The protocol of one connection to the job object, without the connection: frames and times go in, actions come out. Each
 * connection has a new session; what outlives it is in the run's record.
 */

import type { Answer } from '#protocol/admission';
import { HEARTBEAT, HEARTBEAT_INTERVAL_MS, KIB, MAX_UNACKED_BYTES, WRAPPER_SILENCE_MS } from '#protocol/limits';
import { MAX_OUTPUT_PAYLOAD_BYTES, type OutputFrame } from '#protocol/output-frame';
import type { Usage } from '#protocol/usage';
import {
  type Ack,
  type FlowMode,
  type Killing,
  type KillMessage,
  type Pacing,
  readObjectMessage,
  type Start,
  type WrapperMessage,
} from '#protocol/wrapper-link';
import { formatDuration } from '#shared/format-duration';
import type { ReportableRun } from './reportable-run.ts';

export type LinkAction =
  | { readonly kind: 'send'; readonly message: WrapperMessage }
  | { readonly kind: 'send_output'; readonly frame: OutputFrame }
  | { readonly kind: 'send_heartbeat' }
  /**
   * A start was acked. `outputLimitBytes`: how much of a run's output is kept; null: not given. `intervalMs`: see
   * `paced`. `isWatched`: whether a person looks at the run.
   */
  | {
      readonly kind: 'accepted';
      readonly reconnectCapMs: number;
      readonly outputLimitBytes: number | null;
      readonly intervalMs: number;
      readonly isWatched: boolean;
    }
  /** From now on output is sent this often, or more often. */
  | { readonly kind: 'paced'; readonly intervalMs: number; readonly isWatched: boolean }
  /** To what the run asked before its start. */
  | { readonly kind: 'answer'; readonly answer: Answer }
  /** The object doesn't know what the run asks: it is older than this program. */
  | { readonly kind: 'not_understood' }
  /** The object has stored something more. */
  | { readonly kind: 'stored' }
  /** `receivedAt`: when its frame came. */
  | { readonly kind: 'kill'; readonly kill: KillMessage; readonly receivedAt: number }
  /** The completion, if any, and all output are stored: nothing is left to send. */
  | { readonly kind: 'all_stored' }
  | { readonly kind: 'hang_up'; readonly why: string; readonly retry: 'yes' | 'later' | 'never' }
  | { readonly kind: 'note'; readonly text: string };

/** A parsed message: a newer job object may send error codes that this wrapper doesn't know. */
type Received = Extract<ReturnType<typeof readObjectMessage>, { kind: 'message' }>['message'];

/** With an older control plane, which doesn't say when to send. */
const DEFAULT_PACING: Readonly<Record<FlowMode, Pacing>> = {
  eager: { delay_ms: 30, interval_ms: 0, max_bytes: 64 * KIB },
  lazy: { delay_ms: 1_000, interval_ms: 0, max_bytes: 64 * KIB },
};
/** Whatever the job object asks for, output is sent within this time. */
const MAX_INTERVAL_MS = 60_000;
/** With less room in the window than this, output waits for an ack. */
const MIN_ROOM_BYTES = 64 * KIB;
/**
 * The greatest pace, however fast the network is: on a machine with few processors the command needs them. It is faster
 * than a job object stores, and than the 50 MB/s at which a command must not be slowed.
 */
const MAX_BYTES_PER_MS = 64_000;
/** Where a command prints to both streams in turns a frame may hold a single byte, and it costs each side far more. */
const MAX_UNACKED_FRAMES = 1_000;
/** How far ahead of that pace a burst may be: a whole window. */
const BURST_MS = MAX_UNACKED_BYTES / MAX_BYTES_PER_MS;
/** Whatever the job object asks for, a dead link is noticed and replaced within minutes. */
const MAX_HEARTBEAT_MS = 60_000;
const MAX_SILENCE_MS = 5 * 60_000;
const MAX_RECONNECT_CAP_MS = 5 * 60_000;
/** A peer that answers heartbeats and stores nothing has lost our state: a new connection sends everything again. */
const MAX_UNSTORED_MS = 60_000;
/** After this many rewinds to the same offset another one won't help. */
const MAX_REWINDS_WITHOUT_ACK = 8;

interface OffsetRange {
  readonly from: number;
  readonly to: number;
}

export class LinkProtocol {
  readonly #record: ReportableRun;
  #phase: Start['phase'] = 'running';
  #accepted = false;
  /** Starts that were sent and not acked: a run that asks sends another when it starts. */
  #unackedStarts = 0;
  #pacing: Pacing = DEFAULT_PACING.lazy;
  #isWatched = false;
  /** Whether the object knows the message `usage`. */
  #takesUsage = true;
  #heartbeatMs = HEARTBEAT_INTERVAL_MS;
  #silenceMs = WRAPPER_SILENCE_MS;
  #lastFrameAt: number;
  #heartbeatAt: number;
  /** When the start must have been acked. */
  #acceptedBy: number;
  /** Since when we have been waiting for an ack: since the last ack, or since unacked data was sent. */
  #owedSince: number | null = null;
  #acked = 0;
  #sent = 0;
  #highestSent = 0;
  /** The offset for which `read` returned `later`; only relevant while it is the next to send. */
  #awaited: number | null = null;
  /** Gaps sent but not yet acked: they don't count as bytes in flight. */
  #gaps: OffsetRange[] = [];
  /** Where frames end that were sent but not yet acked. */
  #frameEnds: number[] = [];
  /** When the last frame would have been sent at the greatest pace. */
  #pacedUntil = 0;
  /** Output before this offset is to be sent as soon as the window and the pace allow it. */
  #dueTo = 0;
  /** Since when there has been output that is not due; null when there is none. */
  #pendingSince: number | null = null;
  #sentAt = Number.NEGATIVE_INFINITY;
  #rewinds = 0;
  #completeSent = false;
  #completeAcked = false;
  /** What was last sent of `left`. */
  #leftReported: ReportableRun['left'] = null;
  /** Own steps sent on this connection and not known to have been received. */
  #steps: Killing[] = [];

  /** @param now milliseconds on any monotonic clock, the same for all calls */
  constructor(record: ReportableRun, now: number) {
    this.#record = record;
    this.#lastFrameAt = now;
    this.#heartbeatAt = now + this.#heartbeatMs;
    this.#acceptedBy = now + this.#silenceMs;
  }

  /** Whether the object has accepted this connection as the run's. */
  get accepted(): boolean {
    return this.#accepted;
  }

  /** When the last frame came; before the first, when the session began. */
  get lastFrameAt(): number {
    return this.#lastFrameAt;
  }

  /** The connection is open. */
  opened(now: number): LinkAction[] {
    this.#lastFrameAt = now;
    return [this.#sendStart(now)];
  }

  /** The run, which has asked before its start, has started. */
  started(now: number): LinkAction[] {
    return [this.#sendStart(now)];
  }

  /** A text frame came. Never throws, whatever it holds. */
  received(frame: string, now: number): LinkAction[] {
    this.#lastFrameAt = now;
    if (frame === HEARTBEAT) return [];
    const read = readObjectMessage(frame);
    switch (read.kind) {
      case 'message':
        return this.#onMessage(read.message, now);
      case 'unknown_type':
        return [{ kind: 'note', text: `ignored a message of the unknown type ${read.type}` }];
      case 'malformed':
        return [{ kind: 'note', text: `ignored a frame: ${read.message}` }];
    }
  }

  /** A frame came that means nothing except that the peer lives. */
  onOtherFrame(now: number): void {
    this.#lastFrameAt = now;
  }

  /** There is more output. */
  outputGrew(now: number): LinkAction[] {
    return this.#pump(now);
  }

  /** Output for which `read` returned `later` may be readable now. */
  outputReadable(now: number): LinkAction[] {
    this.#awaited = null;
    return this.#pump(now);
  }

  /** Reports a step of a kill, and what was printed before it. */
  killing(killing: Killing, now: number): LinkAction[] {
    if (killing.kill === null) {
      // On the ack of the start everything that was not received is sent.
      if (!this.#accepted) return [];
      this.#steps.push(killing);
    }
    return [{ kind: 'send', message: killing }, ...this.#flush(now)];
  }

  /** What the run takes now. */
  usage(usage: Usage): LinkAction[] {
    const isWanted = this.#accepted && this.#isWatched && this.#takesUsage && this.#record.completion === null;
    return isWanted ? [{ kind: 'send', message: { type: 'usage', usage } }] : [];
  }

  /** The record has got its completion. */
  completed(now: number): LinkAction[] {
    return this.#accepted ? [...this.#sendCompletion(now), ...this.#pump(now)] : [];
  }

  /** The record's `left` has changed. */
  leftChanged(now: number): LinkAction[] {
    return this.#completeAcked ? [...this.#sendLeft(now), ...this.#ifAllStored()] : [];
  }

  /** Call when `deadline()` is reached. */
  tick(now: number): LinkAction[] {
    if (now - this.#lastFrameAt >= this.#silenceMs) {
      return [{ kind: 'hang_up', why: `received nothing for ${formatDuration(this.#silenceMs)}`, retry: 'later' }];
    }
    if (!this.#accepted && now >= this.#acceptedBy) {
      return [{ kind: 'hang_up', why: 'the control plane did not accept the run in time', retry: 'later' }];
    }
    if (this.#owedSince !== null && now - this.#owedSince >= MAX_UNSTORED_MS) {
      return [{ kind: 'hang_up', why: `nothing was stored for ${formatDuration(MAX_UNSTORED_MS)}`, retry: 'later' }];
    }
    const actions: LinkAction[] = [];
    if (now >= this.#heartbeatAt) {
      actions.push({ kind: 'send_heartbeat' });
      this.#heartbeatAt = now + this.#heartbeatMs;
    }
    return [...actions, ...this.#pump(now)];
  }

  /** When `tick` is due. */
  deadline(): number {
    const givenUpAt = this.#accepted
      ? (this.#owedSince ?? Number.POSITIVE_INFINITY) + MAX_UNSTORED_MS
      : this.#acceptedBy;
    return Math.min(this.#lastFrameAt + this.#silenceMs, this.#heartbeatAt, givenUpAt, this.#flushAt());
  }

  #onMessage(message: Received, now: number): LinkAction[] {
    switch (message.type) {
      case 'ack':
        return this.#onAck(message, now);
      case 'kill':
        return [{ kind: 'kill', kill: message, receivedAt: now }, ...this.#flush(now)];
      case 'answer':
        return [{ kind: 'answer', answer: message }];
      case 'probe':
        return [{ kind: 'send', message: { type: 'alive' } }];
      case 'flow':
        this.#pacing = readPacing(message.mode, message.pacing);
        this.#isWatched = message.mode === 'eager';
        return [
          { kind: 'paced', intervalMs: this.#pacing.interval_ms, isWatched: this.#isWatched },
          ...this.#pump(now),
        ];
      case 'flush':
        return [
          { kind: 'send', message: { type: 'flushed', id: message.id, to: this.#record.output.end } },
          ...this.#flush(now),
        ];
      case 'error':
        return this.#onError(message, now);
    }
  }

  #sendStart(now: number): LinkAction {
    this.#acceptedBy = now + this.#silenceMs;
    const start = this.#record.start();
    this.#phase = start.phase;
    this.#unackedStarts += 1;
    return { kind: 'send', message: start };
  }

  #onAck(ack: Ack, now: number): LinkAction[] {
    // Frames are handled in order: what was sent before something that is acked now has been received. (An ack that was in
    // flight when a step was sent doesn't cover it; then an event may be missing, but never the end's reason.)
    this.#record.stepsReported(this.#steps.splice(0));
    switch (ack.of) {
      case 'start':
        return this.#onStartAck(ack, now);
      case 'output':
        return this.#onOutputAck(ack.offset, now);
      case 'complete':
        if (!this.#completeSent) return [{ kind: 'note', text: 'ignored an ack of a completion that was not sent' }];
        this.#completeAcked = true;
        this.#updateOwed(now);
        return [{ kind: 'stored' }, ...this.#sendLeft(now), ...this.#ifAllStored()];
    }
  }

  #onStartAck(ack: Extract<Ack, { of: 'start' }>, now: number): LinkAction[] {
    if (this.#unackedStarts === 0) return [{ kind: 'note', text: 'ignored a second ack of the start' }];
    this.#unackedStarts -= 1;
    const accepted = this.#applyTerms(ack, now);
    // The rest has been done on the ack of the first start.
    if (this.#accepted) return [accepted];
    this.#accepted = true;
    const { output, unreportedSteps } = this.#record;
    const actions: LinkAction[] = [accepted];
    if (ack.offset > output.end) {
      actions.push({
        kind: 'note',
        text: `the control plane claims ${ack.offset} bytes of output; there are ${output.end}`,
      });
    }
    output.free(ack.offset);
    this.#acked = Math.min(ack.offset, output.end);
    this.#sent = this.#acked;
    this.#highestSent = this.#acked;
    for (const step of unreportedSteps) actions.push({ kind: 'send', message: step });
    this.#steps.push(...unreportedSteps);
    return [...actions, ...this.#sendCompletion(now), ...this.#pump(now), ...this.#ifAllStored()];
  }

  /** Applies the settings that come with the ack of a start. */
  #applyTerms(ack: Extract<Ack, { of: 'start' }>, now: number): LinkAction {
    this.#pacing = readPacing(ack.flow, ack.pacing);
    this.#isWatched = ack.flow === 'eager';
    this.#heartbeatMs = Math.min(ack.heartbeat_ms, MAX_HEARTBEAT_MS);
    this.#silenceMs = Math.min(ack.silence_ms, MAX_SILENCE_MS);
    this.#heartbeatAt = now + this.#heartbeatMs;
    const reconnectCapMs = Math.min(ack.reconnect_cap_ms, MAX_RECONNECT_CAP_MS);
    const { interval_ms: intervalMs } = this.#pacing;
    const outputLimitBytes = ack.output_limit_bytes ?? null;
    return { kind: 'accepted', reconnectCapMs, outputLimitBytes, intervalMs, isWatched: this.#isWatched };
  }

  #onOutputAck(offset: number, now: number): LinkAction[] {
    if (offset > this.#highestSent) {
      return [{ kind: 'note', text: `ignored an ack up to ${offset}: only ${this.#highestSent} was sent` }];
    }
    if (offset <= this.#acked) return [];
    this.#acked = offset;
    this.#sent = Math.max(this.#sent, offset);
    this.#gaps = this.#gaps.filter((gap) => gap.to > offset);
    this.#frameEnds = this.#frameEnds.filter((end) => end > offset);
    this.#rewinds = 0;
    this.#record.output.free(offset);
    this.#updateOwed(now);
    return [{ kind: 'stored' }, ...this.#pump(now), ...this.#ifAllStored()];
  }

  #onError(error: Extract<Received, { type: 'error' }>, now: number): LinkAction[] {
    const text = `the control plane says ${error.code}: ${error.message}`;
    if (error.code === 'gap' && error.expected !== undefined && error.retry !== 'never') {
      return this.#rewind(error.expected, now);
    }
    if (error.code === 'bad_frame' && this.#phase === 'waiting' && !this.#accepted) {
      return [{ kind: 'not_understood' }, { kind: 'note', text }];
    }
    // An older object: it would say so each time.
    if (error.code === 'unknown_type') this.#takesUsage = false;
    if (error.retry !== null) return [{ kind: 'hang_up', why: text, retry: error.retry }];
    return [{ kind: 'note', text }];
  }

  #rewind(expected: number, now: number): LinkAction[] {
    if (!this.#accepted || expected > this.#highestSent) {
      return [{ kind: 'note', text: `ignored a request to rewind to ${expected}` }];
    }
    this.#rewinds += 1;
    if (this.#rewinds > MAX_REWINDS_WITHOUT_ACK) {
      return [{ kind: 'hang_up', why: `asked ${this.#rewinds} times to rewind to ${expected}`, retry: 'later' }];
    }
    this.#sent = expected;
    // Earlier bytes were acked once, but the job object has asked for them again: they count as in flight.
    this.#acked = Math.min(this.#acked, expected);
    this.#gaps = this.#gaps
      .filter((gap) => gap.from < expected)
      .map((gap) => ({ from: gap.from, to: Math.min(gap.to, expected) }));
    this.#frameEnds = this.#frameEnds.filter((end) => end <= expected);
    return this.#pump(now);
  }

  #sendCompletion(now: number): LinkAction[] {
    const { completion } = this.#record;
    if (completion === null || this.#completeSent) return [];
    this.#completeSent = true;
    this.#owedSince ??= now;
    return [{ kind: 'send', message: completion }];
  }

  /** Only once the job object has the completion, which is sent again after the list: its ack covers both. */
  #sendLeft(now: number): LinkAction[] {
    const { left, completion } = this.#record;
    if (left === null || left === this.#leftReported || completion === null) return [];
    this.#leftReported = left;
    this.#completeAcked = false;
    this.#owedSince ??= now;
    return [
      { kind: 'send', message: { type: 'left_running', processes: [...left] } },
      { kind: 'send', message: completion },
    ];
  }

  #ifAllStored(): LinkAction[] {
    const { completion, output, keepsLinkOpen } = this.#record;
    if (keepsLinkOpen) return [];
    if (this.#phase === 'abandoned') return this.#acked < output.end ? [] : [{ kind: 'all_stored' }];
    if (!this.#completeAcked || completion === null || this.#acked < completion.final_offset) return [];
    return [{ kind: 'all_stored' }];
  }

  /** Sends all output that there is now, as far as the window allows it. */
  #flush(now: number): LinkAction[] {
    this.#dueTo = this.#record.output.end;
    return this.#pump(now);
  }

  /** Sends what is due, up to the window. */
  #pump(now: number): LinkAction[] {
    const actions: LinkAction[] = [];
    this.#updateDue(now);
    if (!this.#accepted || now < this.#flushAt()) return actions;
    while (this.#sent < this.#dueTo) {
      const room = this.#room();
      if (!this.#isEnough(room) || now < this.#pacedUntil - BURST_MS) break;
      this.#awaited = null;
      const wanted = Math.min(MAX_OUTPUT_PAYLOAD_BYTES, room, this.#dueTo - this.#sent);
      const chunk = this.#record.output.read(this.#sent, wanted);
      if (chunk === null) break;
      if (chunk.kind === 'later') {
        this.#awaited = this.#sent;
        break;
      }
      actions.push(chunk.kind === 'gap' ? this.#sendGap(chunk) : this.#sendOutput(chunk, now));
      this.#highestSent = Math.max(this.#highestSent, this.#sent);
      this.#sentAt = now;
    }
    if (this.#sent > this.#acked) this.#owedSince ??= now;
    return actions;
  }

  #sendGap({ from, to }: OffsetRange): LinkAction {
    this.#gaps.push({ from, to });
    this.#sent = to;
    return { kind: 'send', message: { type: 'gap', from, to } };
  }

  #sendOutput(frame: OutputFrame, now: number): LinkAction {
    this.#sent = frame.start + frame.bytes.length;
    this.#frameEnds.push(this.#sent);
    this.#pacedUntil = Math.max(this.#pacedUntil, now) + frame.bytes.length / MAX_BYTES_PER_MS;
    return { kind: 'send_output', frame };
  }

  #updateOwed(now: number): void {
    const isOwed = this.#sent > this.#acked || this.#completeSent !== this.#completeAcked;
    this.#owedSince = isOwed ? now : null;
  }

  /** Decides how much of the output is due by now. */
  #updateDue(now: number): void {
    const { output, completion } = this.#record;
    const dueTo = Math.max(this.#dueTo, this.#sent);
    const pending = output.end - dueTo;
    if (pending <= 0) {
      this.#pendingSince = null;
      return;
    }
    this.#pendingSince ??= now;
    const isAllDue = completion !== null || now >= this.#pendingAt(this.#pendingSince);
    this.#dueTo = isAllDue ? output.end : dueTo + this.#fullFrames(pending);
    if (this.#dueTo > dueTo) this.#pendingSince = this.#dueTo < output.end ? now : null;
  }

  /** How much of the pending output need not wait. Where frames are to be rare, the rest waits for more. */
  #fullFrames(pending: number): number {
    const { interval_ms, max_bytes } = this.#pacing;
    if (pending < max_bytes) return 0;
    return interval_ms === 0 ? pending : pending - (pending % max_bytes);
  }

  /** When output is due that has been waiting since a time. */
  #pendingAt(since: number): number {
    return Math.max(since + this.#pacing.delay_ms, this.#sentAt + this.#pacing.interval_ms);
  }

  /** How many bytes may be sent now. */
  #room(): number {
    if (this.#frameEnds.length + this.#gaps.length >= MAX_UNACKED_FRAMES) return 0;
    const gaps = this.#gaps.reduce((sum, gap) => sum + gap.to - Math.max(gap.from, this.#acked), 0);
    return MAX_UNACKED_BYTES - (this.#sent - this.#acked - gaps);
  }

  /** With a nearly full window every ack would release one more tiny frame. */
  #isEnough(room: number): boolean {
    return room >= Math.min(this.#record.output.end - this.#sent, MIN_ROOM_BYTES);
  }

  /** When output is to be sent; infinite when there is none, no room for it, or it is being fetched. */
  #flushAt(): number {
    if (!this.#accepted || this.#record.output.end <= this.#sent) return Number.POSITIVE_INFINITY;
    if (this.#awaited === this.#sent) return Number.POSITIVE_INFINITY;
    if (!this.#isEnough(this.#room())) return Number.POSITIVE_INFINITY;
    const pacedAt = this.#pacedUntil - BURST_MS;
    if (this.#sent < this.#dueTo) return pacedAt;
    // Nothing is pending that `outputGrew` has not reported.
    return this.#pendingSince === null
      ? Number.POSITIVE_INFINITY
      : Math.max(this.#pendingAt(this.#pendingSince), pacedAt);
  }
}

function readPacing(mode: FlowMode, pacing: Pacing | undefined): Pacing {
  const { delay_ms, interval_ms, max_bytes } = pacing ?? DEFAULT_PACING[mode];
  return {
    delay_ms: Math.min(delay_ms, MAX_INTERVAL_MS),
    interval_ms: Math.min(interval_ms, MAX_INTERVAL_MS),
    max_bytes: Math.min(max_bytes, MAX_OUTPUT_PAYLOAD_BYTES),
  };
}

/**
 * What a job's Durable Object stores of one run, and its responses: written from docs/protocol.md, without a network, a
 * clock, or the bytes of the output. A state is immutable, so that a restart can return to what was stored.
 */
import { HEARTBEAT } from '#protocol/limits';
import { decodeOutputFrame, type OutputFrame } from '#protocol/output-frame';
import {
  type AppliedKill,
  type Complete,
  type KillMessage,
  type ObjectMessage,
  readWrapperMessage,
  type Start,
  type WrapperMessage,
} from '#protocol/wrapper-link';

export interface ByteRange {
  readonly from: number;
  /** Not included. */
  readonly to: number;
}

export type KillPhase = AppliedKill['phase'] | 'pending' | 'lost';

export interface StoredKill {
  readonly kill: KillMessage;
  readonly phase: KillPhase;
}

export interface StoredRun {
  readonly runKey: string | null;
  /** The output is stored up to here. */
  readonly outputEnd: number;
  /** The ranges of it that the machine had to drop. */
  readonly gaps: readonly ByteRange[];
  /** How it ended: by its completion, or by the loss of its wrapper. */
  readonly end: Complete | 'abandoned' | null;
  readonly finalOffset: number | null;
  /** By the id of the kill. */
  readonly kills: Readonly<Record<string, StoredKill>>;
}

export const UNKNOWN_RUN: StoredRun = {
  runKey: null,
  outputEnd: 0,
  gaps: [],
  end: null,
  finalOffset: null,
  kills: {},
};

/** The effect of a frame. */
export interface Reaction {
  readonly run: StoredRun;
  /** To be sent once `run` is stored; errors need not wait. An error means that the frame was out of order. */
  readonly answers: readonly ObjectMessage[];
  /** The bytes that were not stored before. */
  readonly newOutput: OutputFrame | null;
  /** Violations of the protocol that no network failure explains. */
  readonly faults: readonly string[];
}

/** The settings of a link that the wrapper receives. */
export type LinkTerms = Pick<
  Extract<ObjectMessage, { type: 'ack'; of: 'start' }>,
  'flow' | 'pacing' | 'heartbeat_ms' | 'silence_ms' | 'reconnect_cap_ms' | 'output_limit_bytes'
>;

export type ReadFrame =
  | { readonly kind: 'heartbeat' }
  | { readonly kind: 'message'; readonly message: WrapperMessage }
  | { readonly kind: 'output'; readonly output: OutputFrame }
  | { readonly kind: 'fault'; readonly fault: string };

/** @param frame a text frame, or the bytes of a binary one */
export function readFrame(frame: string | Uint8Array): ReadFrame {
  if (frame === HEARTBEAT) return { kind: 'heartbeat' };
  if (typeof frame === 'string') {
    const read = readWrapperMessage(frame);
    if (read.kind === 'message') return read;
    return { kind: 'fault', fault: `${read.kind}: ${frame.slice(0, 200)}` };
  }
  const decoded = decodeOutputFrame(frame);
  return decoded.ok ? { kind: 'output', output: decoded.frame } : { kind: 'fault', fault: decoded.message };
}

/** A message of the run's wrapper. */
export function receiveMessage(run: StoredRun, message: WrapperMessage, terms: LinkTerms): Reaction {
  switch (message.type) {
    case 'start':
      return receiveStart(run, message, terms);
    case 'gap': {
      const { from, to } = message;
      const reaction = advance(run, from, to);
      if (reaction.run.outputEnd === run.outputEnd) return reaction;
      return { ...reaction, run: { ...reaction.run, gaps: [...run.gaps, { from: run.outputEnd, to }] } };
    }
    case 'killing':
      return message.kill === null ? reactionOf(run) : progress(run, [{ ...message, kill: message.kill }]);
    case 'complete':
      return receiveComplete(run, message);
    case 'left_running':
    case 'usage':
    case 'alive':
    case 'flushed':
      return reactionOf(run);
  }
}

/** A frame of the run's output. */
export function receiveOutput(run: StoredRun, { stream, start, bytes }: OutputFrame): Reaction {
  const reaction = advance(run, start, start + bytes.length);
  if (reaction.run.outputEnd === run.outputEnd) return reaction;
  const newBytes = bytes.subarray(run.outputEnd - start);
  return { ...reaction, newOutput: { stream, start: run.outputEnd, bytes: newBytes } };
}

/** An operator's kill. */
export function requestKill(run: StoredRun, kill: KillMessage): StoredRun {
  if (run.kills[kill.kill] !== undefined) return run;
  return { ...run, kills: { ...run.kills, [kill.kill]: { kill, phase: run.end === null ? 'pending' : 'refused' } } };
}

function receiveStart(known: StoredRun, start: Start, terms: LinkTerms): Reaction {
  if (known.runKey !== null && known.runKey !== start.run_key) {
    const message = 'this run id belongs to a run with another key';
    return reactionOf(known, [{ type: 'error', code: 'run_conflict', message, retry: 'never' }], ['another key']);
  }
  const run = { ...known, runKey: start.run_key };
  const ack: ObjectMessage = { type: 'ack', of: 'start', offset: run.outputEnd, ...terms };
  if (run.end !== null) return reactionOf(run, [ack]);
  const { run: progressed, faults } = progress(run, start.applied_kills);
  if (start.phase === 'abandoned') {
    const ended = endRun(progressed, 'abandoned', Math.max(start.output.to, run.outputEnd));
    return reactionOf(ended, [ack], faults);
  }
  const applied = new Set(start.applied_kills.map(({ kill }) => kill));
  const unapplied = Object.values(progressed.kills).filter(
    ({ kill, phase }) => RANK[phase] < RANK.gone && !applied.has(kill.kill),
  );
  return reactionOf(progressed, [ack, ...unapplied.map(({ kill }) => kill)], faults);
}

function receiveComplete(run: StoredRun, complete: Complete): Reaction {
  const answers: ObjectMessage[] = [{ type: 'ack', of: 'complete' }];
  if (run.end === 'abandoned') return reactionOf(run, answers, ['completed after it was abandoned']);
  if (run.end !== null) {
    const isSame = JSON.stringify(run.end) === JSON.stringify(complete);
    return reactionOf(run, answers, isSame ? [] : [`another completion: ${JSON.stringify(complete)}`]);
  }
  const { run: progressed, faults } = progress(run, complete.applied_kills);
  return reactionOf(endRun(progressed, complete, Math.max(complete.final_offset, run.outputEnd)), answers, faults);
}

/** The first end is final. */
function endRun(run: StoredRun, end: Complete | 'abandoned', finalOffset: number): StoredRun {
  const open = end === 'abandoned' ? 'lost' : 'refused';
  const kills = Object.entries(run.kills).map(([id, each]) => [
    id,
    RANK[each.phase] < RANK.gone ? { ...each, phase: open } : each,
  ]);
  return { ...run, end, finalOffset, kills: Object.fromEntries(kills) };
}

/** Output or a gap from `start` to `end`. */
function advance(run: StoredRun, start: number, end: number): Reaction {
  const { outputEnd, finalOffset } = run;
  const error = { type: 'error', message: `${start} to ${end}, stored up to ${outputEnd}`, retry: null } as const;
  if (end <= start || (finalOffset !== null && end > finalOffset)) {
    return reactionOf(run, [{ ...error, code: 'bad_offset' }]);
  }
  if (start > outputEnd) return reactionOf(run, [{ ...error, code: 'gap', expected: outputEnd }]);
  const stored = Math.max(outputEnd, end);
  return reactionOf({ ...run, outputEnd: stored }, [{ type: 'ack', of: 'output', offset: stored }]);
}

const RANK: Readonly<Record<KillPhase, number>> = { pending: 0, term: 1, kill: 2, gone: 3, refused: 3, lost: 3 };

/** The phases of kills, which never go back. */
function progress(run: StoredRun, steps: readonly Pick<AppliedKill, 'kill' | 'phase'>[]): Reaction {
  const kills = { ...run.kills };
  const faults: string[] = [];
  for (const { kill, phase } of steps) {
    const known = kills[kill];
    if (known === undefined) faults.push(`progress of the kill ${kill}, which nobody requested`);
    else if (RANK[phase] > RANK[known.phase]) kills[kill] = { ...known, phase };
  }
  return reactionOf({ ...run, kills }, [], faults);
}

function reactionOf(run: StoredRun, answers: readonly ObjectMessage[] = [], faults: readonly string[] = []): Reaction {
  return { run, answers, newOutput: null, faults };
}

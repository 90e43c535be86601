/** A wrapper's messages, valid and with default values unless a test overrides them. */
import { randomBytes } from 'node:crypto';
import { ulid } from 'ulid';
import type { KillPhase } from '#protocol/kill';
import { encodeOutputFrame, type StreamName } from '#protocol/output-frame';
import type { AppliedKill, WrapperMessage } from '#protocol/wrapper-link';

type Of<Type extends WrapperMessage['type']> = Extract<WrapperMessage, { type: Type }>;
export type StartMessage = Of<'start'>;
export type KillingMessage = Of<'killing'>;
export type CompleteMessage = Of<'complete'>;

/** Which run of which job a wrapper speaks for. */
export interface Identity {
  readonly job: string;
  readonly run: string;
  readonly runKey: string;
  readonly machine: string;
  readonly instance: string;
}

export function newIdentity(job: string, machine = 'web1'): Identity {
  return { job, run: ulid(), runKey: newRunKey(), machine, instance: `${job}_1` };
}

export function newRunKey(): string {
  return randomBytes(16).toString('hex');
}

export function startMessage(who: Pick<Identity, 'run' | 'runKey'>, fields: Partial<StartMessage> = {}): StartMessage {
  return {
    type: 'start',
    run: who.run,
    run_key: who.runKey,
    phase: 'running',
    pid: 4242,
    command_line: 'sleep 60',
    age_ms: 100,
    version: '0.1.0',
    limits: { timeout_ms: null, grace_ms: 5000 },
    output: { from: 0, to: 0 },
    applied_kills: [],
    ...fields,
  };
}

const SIGNALS: Record<KillPhase, KillingMessage['signal']> = {
  term: 'SIGTERM',
  kill: 'SIGKILL',
  gone: null,
  refused: null,
};

/** @param kill null for a kill by a limit of the wrapper's own */
export function killingMessage(
  kill: string | null,
  phase: KillPhase,
  fields: Partial<KillingMessage> = {},
): KillingMessage {
  return {
    type: 'killing',
    kill,
    reason: kill === null ? 'timeout' : 'operator',
    ...progressIn(phase),
    ...fields,
  };
}

/** What a wrapper that reconnects reports of an applied kill. */
export function appliedKill(kill: string, phase: KillPhase, fields: Partial<AppliedKill> = {}): AppliedKill {
  return { kill, ...progressIn(phase), ...fields };
}

function progressIn(phase: KillPhase): Omit<AppliedKill, 'kill'> {
  return { phase, signal: SIGNALS[phase], at_ms: 200, survivors: [], unnamed_survivors: false };
}

/** The end of a run that an operator's kill ended, or the end that is given. */
export function completeMessage(fields: Partial<CompleteMessage> = {}): CompleteMessage {
  return {
    type: 'complete',
    exit_code: 143,
    command_exit_code: null,
    signal: 'SIGTERM',
    reason: 'operator',
    duration_ms: 300,
    final_offset: 0,
    applied_kills: [],
    ...fields,
  };
}

export function outputFrame(start: number, text: string, stream: StreamName = 'stdout'): Uint8Array {
  return encodeOutputFrame({ stream, start, bytes: new TextEncoder().encode(text) });
}

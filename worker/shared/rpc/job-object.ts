/** What a job's Durable Object can be called for. */
import type { Kill, Run, RunEvent } from '#protocol/api';
import type { StandingOrder } from '#protocol/brakes';
import type { Expectation, Expected } from '#protocol/expectations';
import type { StreamName } from '#protocol/output-frame';
import type { Credential, Grant } from '../credential.ts';
import type { QueuedKill } from '../d1/kill-queue.ts';
import type { KillCaller, NewKills } from '../d1/new-kills.ts';
import type { Env } from '../env.ts';
import { callObject } from './call-object.ts';
import { objectByName } from './objects.ts';

/** Each call may be repeated: a second one changes nothing. */
export interface JobObjectRpc extends Rpc.DurableObjectBranded {
  /** Takes the upgrade of a wrapper or a viewer that the Worker has authorised, or of the Worker itself, which waits. */
  fetch(request: Request): Response | Promise<Response>;

  /**
   * Accepts kills that are stored in the queue. They are durable there, so they are sent before they are stored here.
   *
   * @param by the caller, if D1 has just confirmed it: its next kill need not wait for D1
   * @returns the current state of each
   */
  acceptKills(kills: readonly QueuedKill[], by?: ConfirmedCaller | null): Kill[];

  /**
   * Takes kills that may be in no queue: all of them or none. Those that it takes are durable when this returns, and D1 gets
   * them by the outbox.
   */
  offerKills(offer: KillOffer): OfferResult;

  /** Kills the connected runs that a brake matches and has not killed yet. */
  enforceBrakes(brakes: readonly EnforcedBrake[]): void;

  /** Whether a kill would match a run that is known here, whatever the index has. Stores nothing. */
  matchesAnyRun(kill: Kill): boolean;

  kill(id: string): Kill | null;

  run(id: string): Run | null;

  /** Whether this run of the job is known; null: whether any is. */
  hasRun(run: string | null): boolean;

  /** Records that another job has reported a run with this id. */
  recordRunIdConflict(run: string, otherJob: string): void;

  events(run: string, after: number, limit: number): RunEvent[];

  /** How much output of a run is stored, once its wrapper has sent what it has, and which of it is missing. */
  outputExtent(run: string): Promise<OutputExtent>;

  /** The output in [from, to), as much of it as fits into about `maxBytes`. */
  outputPage(run: string, from: number, to: number, maxBytes: number): Promise<OutputPage>;

  /** What is expected of the job's runs, and how far that holds. */
  expectations(): Expectation[];

  /** Sets what an operator expects, of the job on a machine or, with null, as a whole. */
  setExpectation(machine: string | null, expected: Expected): ExpectationResult;

  /** Removes an expectation, whoever has set it. @returns whether there was one */
  removeExpectation(machine: string | null): boolean;

  /** Closes the sockets that were opened with a part of the token that has ended. */
  checkCredentials(token: string): Promise<void>;

  /** The sweep: makes up for a failed call or an alarm that did not fire. */
  reconcile(): Promise<void>;
}

/** Kills of this job by one call. */
export interface KillOffer extends NewKills {
  readonly caller: KillCaller;
}

/**
 * - `taken`: they are durable here
 * - `repeated`: these kills were made by an earlier call with the same key
 * - `key_reused`: the key was used for another request
 * - `passed`: D1 decides. `isKnown`: whether the job is known here, with the runs that are named; if so, it was the caller
 *   that isn't; `foreseen`: the kills as they will be stored, if each has runs to end. Absent from older objects
 */
export type OfferResult =
  | { readonly kind: 'taken' | 'repeated'; readonly kills: readonly Kill[] }
  | { readonly kind: 'key_reused' }
  | { readonly kind: 'passed'; readonly isKnown: boolean; readonly foreseen?: readonly Kill[] | null };

/** A brake, for the objects of the jobs that it matches. */
export interface EnforcedBrake {
  readonly order: StandingOrder;
  /** Globs, any of which must match. */
  readonly machines: readonly string[];
}

/** - `refused`: it can't be judged, for this reason */
export type ExpectationResult =
  | { readonly kind: 'set'; readonly expectation: Expectation }
  | { readonly kind: 'refused'; readonly problem: string }
  | { readonly kind: 'unknown_job' }
  | { readonly kind: 'too_many'; readonly limit: number };

/** A caller as D1 had it. */
export interface ConfirmedCaller {
  readonly credential: Credential & { readonly grant: Grant };
  /** When D1 was asked. */
  readonly at: number;
}

export interface OutputPage {
  readonly parts: readonly OutputPart[];
}

/** `gap`: the machine had to drop these bytes, or they were trimmed. */
export type OutputPart =
  | { readonly kind: 'bytes'; readonly start: number; readonly stream: StreamName; readonly bytes: Uint8Array }
  /** @property begin where the gap begins; `start` is where the part of it that was asked for begins */
  | { readonly kind: 'gap'; readonly start: number; readonly end: number; readonly begin: number };

export interface OutputExtent {
  /** Output is stored up to here. */
  readonly end: number;
  /** The gaps in it. */
  readonly gaps: readonly { start: number; end: number }[];
}

/** The object of a job. */
export function jobObject(env: Env, job: string): DurableObjectStub<JobObjectRpc> {
  return objectByName(env, env.JOBS, job);
}

/** Calls a job's object, and again if it is evicted during the call. */
export function callJob<Result>(
  env: Env,
  job: string,
  call: (object: DurableObjectStub<JobObjectRpc>) => Promise<Result>,
): Promise<Result> {
  return callObject(() => jobObject(env, job), call);
}

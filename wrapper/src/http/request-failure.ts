/** Why a request got no response, or not all of it. */
import { describeError } from '../logging/log.ts';
import { LookupError } from './lookup.ts';
import { InvalidSettings } from './refusal.ts';
import { describeStep, isNotHttp, type Step } from './transport.ts';

export type RequestFailure =
  /** A setting can't be used, such as that of a proxy: the network was not asked. */
  | { readonly kind: 'settings'; readonly why: string }
  /** The host has no address, or no name server responded. */
  | { readonly kind: 'dns'; readonly why: string }
  /** The host doesn't accept connections at this port. */
  | { readonly kind: 'refused'; readonly why: string }
  /** No way to the host: no route, or its network does not respond. */
  | { readonly kind: 'unreachable'; readonly why: string }
  /** The proxy can't be reached, or doesn't connect to the host. */
  | { readonly kind: 'proxy'; readonly why: string }
  /** No TLS, or a certificate that is not accepted. */
  | { readonly kind: 'tls'; readonly why: string }
  /** The host responds with something other than HTTP. */
  | { readonly kind: 'not_http'; readonly why: string }
  | { readonly kind: 'timeout'; readonly why: string }
  /** The connection broke after it was open. The host may have handled the request. */
  | { readonly kind: 'broken'; readonly why: string }
  /** The caller's signal was aborted. */
  | { readonly kind: 'aborted'; readonly why: string };

/** The request did not get through in time. */
export class TimeoutError extends Error {}

/**
 * What an error of the network, or of our own code that uses it, means.
 *
 * @param step what was waited for; null once the connection was open
 */
export function requestFailure(error: unknown, step: Step | null, signal?: AbortSignal): RequestFailure {
  return { kind: kindOf(error, step, signal), why: describeError(error) };
}

function kindOf(error: unknown, step: Step | null, signal?: AbortSignal): RequestFailure['kind'] {
  if (signal?.aborted) return 'aborted';
  const chain = withCauses(error);
  if (chain.some((each) => each instanceof InvalidSettings)) return 'settings';
  if (chain.some((each) => each instanceof TimeoutError)) return 'timeout';
  if (step === null) return chain.some(isNotHttp) ? 'not_http' : 'broken';
  if (step.kind === 'tunnel' || step.isProxy) return 'proxy';
  if (chain.some((each) => each instanceof LookupError)) return 'dns';
  if (step.kind === 'tls') return 'tls';
  return chain.some((each) => 'code' in each && each.code === 'ECONNREFUSED') ? 'refused' : 'unreachable';
}

/** An error that adds to another one has it as its cause; one of several addresses has them as its errors. */
function withCauses(error: unknown): Error[] {
  if (!(error instanceof Error)) return [];
  const others = error instanceof AggregateError ? error.errors : [];
  return [error, ...withCauses(error.cause), ...others.flatMap(withCauses)];
}

/** @param step what was waited for; null: for the response */
export function timeoutError(timeoutMs: number, step: Step | null, url: URL): TimeoutError {
  const waiting = step === null ? `waiting for a response from ${url.host}` : describeStep(step);
  return new TimeoutError(`timed out after ${timeoutMs / 1_000} s ${waiting}`);
}

/** Why a call brought no answer that can be used, in words for whoever sits before the page. */
export type Failure =
  /** The control plane said no, and why. @property jobs those that have a run with the id that was asked for */
  | {
      readonly kind: 'problem';
      readonly status: number;
      readonly code: string;
      readonly detail: string;
      readonly jobs?: readonly string[];
    }
  /** No response arrived. */
  | { readonly kind: 'unreachable'; readonly detail: string }
  /** An answer came that this page cannot read. */
  | { readonly kind: 'unreadable'; readonly detail: string };

export type Result<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly failure: Failure };

export function success<Value>(value: Value): Result<Value> {
  return { ok: true, value };
}

export function failed(failure: Failure): { readonly ok: false; readonly failure: Failure } {
  return { ok: false, failure };
}

export function isSignedOut(failure: Failure): boolean {
  return failure.kind === 'problem' && failure.status === 401;
}

/** Whether a retry may help: an exceeded rate limit passes by itself, and so does a missing response. */
export function isTemporary(failure: Failure): boolean {
  return failure.kind !== 'problem' || failure.status >= 500 || failure.status === 429 || failure.status === 408;
}

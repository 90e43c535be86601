/** Ends a subcommand with a sentence for the operator, who can do something about it. */
import type { Problem } from '#protocol/problem';
import type { RequestFailure } from '../http/request-failure.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

export class OperatorError extends Error {
  readonly exitCode: ExitCode;
  /** Printed below, one a line: what there is to choose from. */
  readonly details: readonly string[];

  /** @param message what failed and what to do, in whole sentences */
  constructor(message: string, exitCode: ExitCode = EXIT.failed, details: readonly string[] = []) {
    super(message);
    this.exitCode = exitCode;
    this.details = details;
  }
}

/** Why a call of the API has no result. */
export type ApiFailure =
  /** The control plane responded with an error. `problem`: null if that has no document of ours, but of a proxy, say. */
  | { readonly kind: 'problem'; readonly status: number; readonly problem: Problem | null }
  /** No response came. */
  | { readonly kind: 'no_response'; readonly failure: RequestFailure }
  /** What responds is no control plane, or one that this version doesn't understand. */
  | { readonly kind: 'unreadable'; readonly why: string };

export class ApiError extends OperatorError {
  readonly failure: ApiFailure;

  constructor(failure: ApiFailure, message: string) {
    super(message, exitCodeOf(failure));
    this.failure = failure;
  }

  /** The problem's stable code; null if the failure is of another kind. */
  get code(): string | null {
    return this.failure.kind === 'problem' ? (this.failure.problem?.code ?? null) : null;
  }
}

function exitCodeOf(failure: ApiFailure): ExitCode {
  switch (failure.kind) {
    case 'no_response':
      // A setting that can't be used, such as a file of certificates: nothing was asked.
      return failure.failure.kind === 'settings' ? EXIT.failed : EXIT.outOfReach;
    case 'unreadable':
      return EXIT.failed;
    case 'problem':
      return exitCodeOfStatus(failure.status);
  }
}

function exitCodeOfStatus(status: number): ExitCode {
  if (status === 401 || status === 403) return EXIT.notAllowed;
  if (status === 404) return EXIT.notFound;
  return status === 429 || (status >= 502 && status <= 504) || status >= 520 ? EXIT.outOfReach : EXIT.failed;
}

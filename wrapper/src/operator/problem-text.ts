/** Failed calls in sentences: what failed, and what to do. */
import type { Problem } from '#protocol/problem';
import type { RequestFailure } from '../http/request-failure.ts';
import type { ApiFailure } from './operator-error.ts';
import type { OperatorSettings } from './settings.ts';

/** @param settings null where no call was made with them */
export function describeFailure(
  failure: ApiFailure,
  settings: Pick<OperatorSettings, 'url' | 'tokenFrom'> | null,
): string {
  switch (failure.kind) {
    case 'no_response':
      return describeNoResponse(failure.failure, settings?.url.host ?? 'the control plane');
    case 'unreadable':
      return `${settings?.url.host ?? 'The control plane'} sent a response that this version of leash doesn't understand: ${failure.why}. Check the URL, and whether leash is older than the control plane.`;
    case 'problem':
      return describeProblem(failure.status, failure.problem, settings);
  }
}

function describeNoResponse({ kind, why }: RequestFailure, host: string): string {
  switch (kind) {
    case 'settings':
      return sentence(why);
    case 'aborted':
      return 'Interrupted.';
    case 'broken':
      return `The connection to ${host} broke: ${sentence(why)} Try again.`;
    case 'not_http':
      return `${host} doesn't look like a Leash control plane: ${sentence(why)}`;
    case 'dns':
    case 'refused':
    case 'unreachable':
    case 'proxy':
    case 'tls':
    case 'timeout':
      return `Can't reach ${host}: ${sentence(why)}`;
  }
}

function describeProblem(
  status: number,
  problem: Problem | null,
  settings: Pick<OperatorSettings, 'tokenFrom' | 'url'> | null,
): string {
  if (problem === null) return withoutDocument(status, settings?.url.host ?? 'the control plane');
  const from = settings === null ? '' : ` The token is from ${settings.tokenFrom}.`;
  const detail = sentence(problem.detail || problem.title);
  if (status === 401) return `${detail}${from} Sign in with leash login.`;
  if (status === 403) return `${detail}${from}`;
  // Something that only who runs the control plane can look into.
  return status >= 500 && problem.request_id !== undefined ? `${detail} Request: ${problem.request_id}.` : detail;
}

function withoutDocument(status: number, host: string): string {
  if (status >= 500) return `${host} responded with status ${status}. Try again in a moment.`;
  return `${host} doesn't look like a Leash control plane: it responded with status ${status}. Check the URL.`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

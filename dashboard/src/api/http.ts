/** One HTTPS call: its request, its timeout, and its failures. */

import * as v from 'valibot';
import { Problem } from '#protocol/problem';
import { type Failure, failed, isSignedOut, type Result, success } from './failure.ts';
import { showJson } from './shown-json.ts';

const TIMEOUT_MS = 15_000;
const ROOT = '/api/v1';

export interface Call {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly timeoutMs?: number;
}

/** Told of every answer, for the clock, and of the end of the session. */
interface Listeners {
  answered(sentAt: number, receivedAt: number, dateHeader: string | null): void;
  signedOut(): void;
}

let listeners: Listeners = { answered: () => undefined, signedOut: () => undefined };

export function listenToCalls(to: Listeners): void {
  listeners = to;
}

/** Who asks. Goes on to the next when a session ends. */
let asker = 0;

/** Requests from before are ignored: their responses are not for the person who signs in next. */
export function disownCalls(): void {
  asker += 1;
}

/** Calls, and gives back the response if it is a success. */
export async function call(options: Call): Promise<Result<Response>> {
  const { method = 'GET', path, body, headers = {}, timeoutMs = TIMEOUT_MS } = options;
  const sentAt = Date.now();
  const asking = asker;
  let response: Response;
  try {
    response = await fetch(ROOT + path, {
      method,
      headers: { accept: 'application/json', ...(body === undefined ? {} : JSON_BODY), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      cache: 'no-store',
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (error) {
    return failed(unreachable(error));
  }
  if (asking !== asker) return failed(DISOWNED);
  listeners.answered(sentAt, Date.now(), response.headers.get('date'));
  if (response.ok) return success(response);
  const failure = await readProblem(response);
  if (asking !== asker) return failed(DISOWNED);
  if (isSignedOut(failure)) listeners.signedOut();
  return failed(failure);
}

/** Calls, and reads the JSON of the answer against its schema. */
export async function callFor<Schema extends v.GenericSchema>(
  schema: Schema,
  options: Call,
): Promise<Result<v.InferOutput<Schema>>> {
  const asking = asker;
  const answer = await call(options);
  if (!answer.ok) return answer;
  let json: unknown;
  try {
    json = JSON.parse(showJson(await answer.value.text()));
  } catch {
    // Cut off on its way, or not JSON: either way there is nothing to read.
    return failed(unreadable('it was not JSON'));
  }
  if (asking !== asker) return failed(DISOWNED);
  const parsed = v.safeParse(schema, json);
  if (parsed.success) return success(parsed.output);
  const [issue] = parsed.issues;
  return failed(unreadable(`${v.getDotPath(issue) ?? 'answer'}: ${issue.message}`));
}

const JSON_BODY = { 'content-type': 'application/json' };

const DISOWNED: Failure = { kind: 'unreachable', detail: 'You signed out before Leash answered.' };

function unreachable(error: unknown): Failure {
  const timedOut = error instanceof DOMException && error.name === 'TimeoutError';
  return {
    kind: 'unreachable',
    detail: timedOut
      ? 'Leash didn’t answer in time. Try again.'
      : 'Can’t reach Leash. Check your connection and try again.',
  };
}

function unreadable(why: string): Failure {
  return {
    kind: 'unreadable',
    detail: `Leash sent an unreadable answer (${why}). Reload the page: it may be outdated.`,
  };
}

async function readProblem(response: Response): Promise<Failure> {
  try {
    const parsed = v.safeParse(Problem, JSON.parse(showJson(await response.text())));
    if (parsed.success) {
      const { code, detail, title, jobs } = parsed.output;
      const named = jobs === undefined ? {} : { jobs };
      return { kind: 'problem', status: response.status, code, detail: detail || title, ...named };
    }
  } catch {
    // Not from the API: a proxy's error page, say. The status has to do.
  }
  return {
    kind: 'problem',
    status: response.status,
    code: 'unknown',
    detail: `Leash answered with status ${response.status}.`,
  };
}

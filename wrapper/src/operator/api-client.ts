/** Calls the HTTPS API as an operator. What fails is thrown as an ApiError, with a sentence and an exit code. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import type { Problem } from '#protocol/problem';
import { readTokenFile } from '../config/token-file.ts';
import { problemIn } from '../http/problem-response.ts';
import { Connections, type HttpResponse, RequestError, request } from '../http/request.ts';
import { describeError } from '../logging/log.ts';
import { EXIT } from './exit-codes.ts';
import { ApiError, type ApiFailure, OperatorError } from './operator-error.ts';
import { describeFailure } from './problem-text.ts';
import type { OperatorSettings } from './settings.ts';

export interface ApiCall {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** After `/api/v1`, with what is not a name encoded, such as `/jobs/backup/kill`. */
  readonly path: string;
  /** Missing and empty parameters are not sent. */
  readonly query?: Readonly<Record<string, string | number | null | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Until the response begins: more than a `wait` in the query. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Fails at once when the control plane is busy, because there is another way. */
  readonly isImpatient?: boolean;
}

/** A resource: what this version knows of it, and what the control plane sent, which may have more fields. */
export interface Received<Value> {
  readonly value: Value;
  readonly raw: unknown;
}

export interface ApiClientOptions {
  readonly settings: OperatorSettings;
  readonly version: string;
  /** Called before a wait for a control plane that is busy, with a line for the operator. */
  readonly onWait?: (line: string) => void;
}

const ROOT = '/api/v1';
const TIMEOUT_MS = 30_000;
/** How long to wait in all for a control plane that says when to call again. */
const MAX_BUSY_MS = 60_000;
/** Where it doesn't say. */
const DEFAULT_PAUSE_MS = 2_000;
/** Also where it says that no pause is needed: else the time to wait would never be over. */
const LEAST_PAUSE_MS = 250;
/** The most that the API gives at once. */
const PAGE_SIZE = 500;
/** A page of 500 runs with command lines of 4 KiB. */
const MAX_JSON_BYTES = 32 * 1024 * 1024;
/** A clock that differs by less is right: the time in the response is in whole seconds. */
const CLOCK_TOLERANCE_MS = 3_000;

export class ApiClient {
  readonly settings: OperatorSettings;
  readonly #version: string;
  readonly #onWait: (line: string) => void;
  readonly #connections = new Connections();
  #token: Promise<string> | null = null;
  #clockOffsetMs = 0;

  constructor({ settings, version, onWait = () => {} }: ApiClientOptions) {
    this.settings = settings;
    this.#version = version;
    this.#onWait = onWait;
  }

  /** The control plane's time, in milliseconds since the epoch: this machine's clock may be wrong. */
  now(): number {
    return Date.now() + this.#clockOffsetMs;
  }

  /** Calls, and reads the JSON of the response. Unknown fields are ignored, and kept in `raw`. @throws {ApiError} */
  async call<Schema extends v.GenericSchema>(schema: Schema, call: ApiCall): Promise<Received<v.InferOutput<Schema>>> {
    const raw = await this.#json(await this.open(call));
    return { value: parsed(schema, raw), raw };
  }

  /** Calls, where the response has no body. @throws {ApiError} */
  async send(call: ApiCall): Promise<void> {
    (await this.open(call)).discard();
  }

  /** One field of the response. @throws {ApiError} */
  async get<Schema extends v.GenericSchema>(schema: Schema, field: string, call: ApiCall) {
    const { raw } = await this.call(v.record(v.string(), v.unknown()), call);
    const own = (raw as Readonly<Record<string, unknown>>)[field];
    return { value: parsed(schema, own), raw: own } satisfies Received<v.InferOutput<Schema>>;
  }

  /**
   * All entries of a list, page by page as they are asked for.
   *
   * @param field the list's name in the response, such as `runs`
   * @param pageSize how many to ask for at a time: fewer where only the first are wanted
   * @throws {ApiError}
   */
  async *list<Schema extends v.GenericSchema>(
    schema: Schema,
    field: string,
    call: ApiCall,
    pageSize = PAGE_SIZE,
  ): AsyncGenerator<Received<v.InferOutput<Schema>>, void, undefined> {
    const page = v.object({ [field]: v.array(v.unknown()), next_cursor: v.nullable(v.string()) });
    let cursor: string | null = null;
    do {
      const query = { ...call.query, limit: Math.min(pageSize, PAGE_SIZE), cursor };
      const { raw }: Received<unknown> = await this.call(page, { ...call, query });
      const body = raw as Readonly<Record<string, unknown[]>> & { readonly next_cursor: string | null };
      for (const entry of body[field] ?? []) yield { value: parsed(schema, entry), raw: entry };
      cursor = body.next_cursor;
    } while (cursor !== null);
  }

  /**
   * Calls, and returns the response with its body unread; it was a success. Waits where the control plane is busy.
   *
   * @throws {ApiError}
   */
  async open(call: ApiCall): Promise<HttpResponse> {
    let waitedMs = 0;
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#attempt(call);
      if (outcome.kind === 'response') return outcome.response;
      const { failure, retryAfterMs } = outcome;
      const pauseMs = retryPause(call, failure, retryAfterMs, attempt);
      if (pauseMs === null || waitedMs + pauseMs > MAX_BUSY_MS) {
        throw new ApiError(failure, describeFailure(failure, this.settings));
      }
      if (pauseMs > 0) this.#onWait(`The control plane is busy; trying again in ${Math.ceil(pauseMs / 1_000)} s.`);
      waitedMs += pauseMs;
      await sleep(pauseMs, undefined, { ...(call.signal && { signal: call.signal }) });
    }
  }

  /** Closes all connections. */
  close(): void {
    this.#connections.close();
  }

  /** The full URL of a call. */
  urlOf({ path, query = {} }: Pick<ApiCall, 'path' | 'query'>): URL {
    const url = new URL(`${this.settings.url.href.replace(/\/$/, '')}${ROOT}${path}`);
    for (const [name, value] of Object.entries(query)) {
      if (value !== null && value !== undefined && value !== '') url.searchParams.set(name, String(value));
    }
    return url;
  }

  /** The secret. @throws {OperatorError} when it can't be read */
  token(): Promise<string> {
    this.#token ??= readToken(this.settings);
    return this.#token;
  }

  async #attempt(
    call: ApiCall,
  ): Promise<
    | { readonly kind: 'response'; readonly response: HttpResponse }
    | { readonly kind: 'failed'; readonly failure: ApiFailure; readonly retryAfterMs: number | null }
  > {
    const { method = 'GET', body, headers, timeoutMs = TIMEOUT_MS, signal } = call;
    const { caFile, proxyEnv } = this.settings;
    const result = await request({
      method,
      url: this.urlOf(call),
      headers: {
        Authorization: `Bearer ${await this.token()}`,
        Accept: 'application/json',
        'User-Agent': `leash/${this.#version}`,
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      proxyEnv,
      caFile,
      timeoutMs,
      connections: this.#connections,
      ...(signal && { signal }),
    });
    if (result.kind === 'failure') {
      return { kind: 'failed', failure: { kind: 'no_response', failure: result.failure }, retryAfterMs: null };
    }
    const { response } = result;
    this.#compareClocks(response.headers.date);
    if (response.status >= 200 && response.status < 300) return { kind: 'response', response };
    return { kind: 'failed', ...(await readProblem(response)) };
  }

  async #json(response: HttpResponse): Promise<unknown> {
    try {
      const text = await readText(response);
      if (text === null) throw new Error('it is too large');
      return JSON.parse(text);
    } catch (error) {
      const failure: ApiFailure =
        error instanceof RequestError
          ? { kind: 'no_response', failure: error.failure }
          : { kind: 'unreadable', why: describeError(error) };
      throw new ApiError(failure, describeFailure(failure, this.settings));
    }
  }

  #compareClocks(date: string | undefined): void {
    const theirs = Date.parse(date ?? '');
    if (Number.isNaN(theirs)) return;
    const offsetMs = theirs - Date.now();
    this.#clockOffsetMs = Math.abs(offsetMs) > CLOCK_TOLERANCE_MS ? offsetMs : 0;
  }
}

/** @returns how long to wait before the same call again; null: that would be useless, or could do something twice */
function retryPause(call: ApiCall, failure: ApiFailure, retryAfterMs: number | null, attempt: number): number | null {
  if (call.isImpatient) return null;
  const isRepeatable = (call.method ?? 'GET') === 'GET' || call.headers?.['Idempotency-Key'] !== undefined;
  // A connection that was kept open may have been closed meanwhile.
  if (failure.kind === 'no_response')
    return failure.failure.kind === 'broken' && isRepeatable && attempt === 1 ? 0 : null;
  if (failure.kind !== 'problem') return null;
  const isBusy = failure.status === 429 || (failure.status === 503 && isRepeatable);
  return isBusy ? Math.max(retryAfterMs ?? DEFAULT_PAUSE_MS, LEAST_PAUSE_MS) : null;
}

function parsed<Schema extends v.GenericSchema>(schema: Schema, raw: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, raw);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const failure: ApiFailure = {
    kind: 'unreadable',
    why: `${v.getDotPath(issue) ?? 'response'}: ${issue.message}`,
  };
  throw new ApiError(failure, describeFailure(failure, null));
}

async function readProblem(response: HttpResponse): Promise<{ failure: ApiFailure; retryAfterMs: number | null }> {
  const { status, headers } = response;
  if (status >= 300 && status < 400) {
    response.discard();
    const why = `it redirects to ${headers.location ?? 'nowhere'} (${status})`;
    return { failure: { kind: 'unreadable', why }, retryAfterMs: null };
  }
  const problem = await problemOf(response);
  const retryAfterMs = problem?.retry_after_ms ?? secondsIn(headers['retry-after']);
  return { failure: { kind: 'problem', status, problem }, retryAfterMs };
}

/** In milliseconds; null where the header is missing, or a date. */
function secondsIn(header: string | undefined): number | null {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1_000 : null;
}

async function problemOf(response: HttpResponse): Promise<Problem | null> {
  try {
    return problemIn((await readText(response)) ?? '');
  } catch {
    // Broken off. The status has to do.
    return null;
  }
}

/** @returns null when it is too large */
async function readText({ body }: HttpResponse): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_JSON_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function readToken({ token: source, tokenFrom }: OperatorSettings): Promise<string> {
  const text =
    source.kind === 'value'
      ? source.token
      : await readTokenFile(source.path).catch((error: unknown) => {
          throw new OperatorError(
            `Can't read the token: ${describeError(error)}. Name another file, or sign in with leash login.`,
            EXIT.notAllowed,
          );
        });
  // A header can't hold others, and an error of the HTTP client would show the token.
  if (!/^[\x21-\x7e]+$/.test(text)) {
    throw new OperatorError(`The token in ${tokenFrom} is empty or contains invalid characters.`, EXIT.notAllowed);
  }
  return text;
}

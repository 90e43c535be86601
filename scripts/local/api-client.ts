/** The control plane's HTTPS API, as a person with curl and a token has it. Answers are checked against the schemas. */

import * as v from 'valibot';
import {
  EventList,
  JobList,
  Kill,
  KillBody,
  NEXT_OFFSET_HEADER,
  type Run,
  RunBody,
  type RunEvent,
  RunList,
  type Token,
  TokenBody,
  TokenList,
} from '#protocol/api';
import type { NewToken } from '#protocol/new-token';
import { Problem } from '#protocol/problem';

/** What a kill may say; everything is optional. */
export interface KillRequestBody {
  readonly run?: string;
  readonly instance?: string;
  readonly machine?: string;
  readonly signal?: string;
  readonly grace_seconds?: number;
  readonly reason?: string;
}

/** The control plane said no. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, detail: string) {
    super(`${status} ${code}: ${detail}`);
    this.status = status;
    this.code = code;
  }
}

export interface StoredOutput {
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly nextOffset: number;
}

const JobKill = v.object({ kill: Kill });

export class ApiClient {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  /** The same rights at a control plane that has moved. */
  at(url: string): ApiClient {
    return new ApiClient(url, this.#token);
  }

  async createToken(
    token: Partial<NewToken> & Pick<NewToken, 'name' | 'scopes'>,
  ): Promise<v.InferOutput<typeof TokenBody>> {
    return await this.#json(TokenBody, 'POST', '/tokens', token);
  }

  async tokens(): Promise<Token[]> {
    return (await this.#json(TokenList, 'GET', '/tokens')).tokens;
  }

  async runs(query: Record<string, string> = {}): Promise<Run[]> {
    const search = new URLSearchParams(query).toString();
    return (await this.#json(RunList, 'GET', `/runs${search === '' ? '' : `?${search}`}`)).runs;
  }

  async jobs(): Promise<v.InferOutput<typeof JobList>['jobs']> {
    return (await this.#json(JobList, 'GET', '/jobs')).jobs;
  }

  /** @param job its job's name: with it a run is found that has only just started */
  async run(id: string, job?: string): Promise<Run> {
    return (await this.#json(RunBody, 'GET', `/runs/${id}${ofJob(job)}`)).run;
  }

  /** @param job see `run` */
  async events(run: string, job?: string): Promise<RunEvent[]> {
    return (await this.#json(EventList, 'GET', `/runs/${run}/events${ofJob(job)}`)).events;
  }

  async output(run: string, query: Record<string, string> = {}): Promise<StoredOutput> {
    const search = new URLSearchParams(query).toString();
    const response = await this.request('GET', `/runs/${run}/output${search === '' ? '' : `?${search}`}`);
    if (!response.ok) throw await errorOf(response);
    const bytes = new Uint8Array(await response.arrayBuffer());
    return {
      bytes,
      text: new TextDecoder().decode(bytes),
      nextOffset: Number(response.headers.get(NEXT_OFFSET_HEADER)),
    };
  }

  /** Orders a kill. With `waitSeconds` the answer comes when the kill is settled or the time is up. */
  async kill(job: string, body: KillRequestBody = {}, waitSeconds = 0): Promise<{ status: number; kill: Kill }> {
    const query = waitSeconds === 0 ? '' : `?wait=${waitSeconds}`;
    const response = await this.request('POST', `/jobs/${job}/kill${query}`, body);
    if (!response.ok) throw await errorOf(response);
    const { kill } = v.parse(JobKill, await response.json());
    return { status: response.status, kill };
  }

  async getKill(id: string, waitSeconds = 0): Promise<Kill> {
    const query = waitSeconds === 0 ? '' : `?wait=${waitSeconds}`;
    return (await this.#json(KillBody, 'GET', `/kills/${id}${query}`)).kill;
  }

  /** Any call under /api/v1, with its answer as it came. */
  request(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    return fetch(`${this.#url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async #json<Schema extends v.GenericSchema>(
    schema: Schema,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<v.InferOutput<Schema>> {
    const response = await this.request(method, path, body);
    if (!response.ok) throw await errorOf(response);
    return v.parse(schema, await response.json());
  }
}

async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text();
  const problem = v.safeParse(v.pipe(v.string(), v.parseJson(), Problem), text);
  if (!problem.success) return new ApiError(response.status, 'no_problem', text.slice(0, 200));
  return new ApiError(response.status, problem.output.code, problem.output.detail);
}

function ofJob(job: string | undefined): string {
  return job === undefined ? '' : `?${new URLSearchParams({ job })}`;
}

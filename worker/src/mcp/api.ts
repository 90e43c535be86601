/** The HTTPS API as the tools call it: in the same Worker, with the caller's own token. */
import * as v from 'valibot';
import { Problem } from '#protocol/problem';

/** Passes a request to the API of this Worker. */
export type CallApi = (request: Request) => Response | Promise<Response>;

/** A call that the API refused. The message is the API's `detail`: it says what failed and what to do. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
}

type Query = Readonly<Record<string, string | number | undefined>>;

/**
 * Everything that a tool does goes through the API: its rights, limits and audit log are the API's, and what the API can't
 * do, such as start something, no tool can.
 */
export class Api {
  readonly #origin: string;
  readonly #headers: Headers;
  readonly #call: CallApi;

  /** @param request the request to the MCP endpoint, whose token and address the calls have */
  constructor(request: Request, call: CallApi) {
    this.#origin = new URL(request.url).origin;
    this.#headers = passedOn(request.headers);
    this.#call = call;
  }

  /** @throws ToolError */
  async get<Schema extends v.GenericSchema>(path: string, query: Query, schema: Schema) {
    return this.#read(await this.getResponse(path, query), schema);
  }

  /** The first pages of a list, at most `most`. The `next_cursor` of the last one says whether more follow. @throws ToolError */
  async *pages<Page extends { readonly next_cursor: string | null }>(
    path: string,
    query: Query,
    schema: v.GenericSchema<unknown, Page>,
    most: number,
  ): AsyncGenerator<Page> {
    let cursor: string | undefined;
    for (let count = 0; count < most; count += 1) {
      const page = await this.get(path, { ...query, cursor }, schema);
      yield page;
      if (page.next_cursor === null) return;
      cursor = page.next_cursor;
    }
  }

  /** A response that isn't JSON. @param headers of the request, besides those of all @throws ToolError */
  getResponse(path: string, query: Query, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    const request = new Request(this.#url(path, query), { headers: this.#headers });
    for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
    return this.#send(request);
  }

  /** @throws ToolError */
  async post<Schema extends v.GenericSchema>(path: string, query: Query, body: unknown, schema: Schema) {
    const headers = new Headers(this.#headers);
    headers.set('Content-Type', 'application/json');
    const request = new Request(this.#url(path, query), { method: 'POST', headers, body: JSON.stringify(body) });
    return this.#read(await this.#send(request), schema);
  }

  async #send(request: Request): Promise<Response> {
    const response = await this.#call(request);
    if (response.ok) return response;
    const { detail, request_id } = v.parse(Problem, await response.json());
    throw new ToolError(request_id === undefined ? detail : `${detail} (request ${request_id})`);
  }

  async #read<Schema extends v.GenericSchema>(response: Response, schema: Schema): Promise<v.InferOutput<Schema>> {
    return v.parse(schema, await response.json());
  }

  #url(path: string, query: Query): URL {
    const url = new URL(`/api/v1${path}`, this.#origin);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url;
  }
}

/** Who calls, and from where. Never a cookie: only the dashboard signs in with one. */
function passedOn(headers: Headers): Headers {
  const passed = new Headers();
  for (const name of ['Authorization', 'CF-Connecting-IP', 'CF-Ray']) {
    const value = headers.get(name);
    if (value !== null) passed.set(name, value);
  }
  return passed;
}

/**
 * One call of the API, declared in one place: where it is, who may make it, what it takes and answers, what it does. The
 * same declaration routes, authorises, validates and documents: none of these can forget what another knows.
 */
import type * as v from 'valibot';
import type { Scope } from '#protocol/api';
import type { ProblemCode } from '#protocol/problem';
import type { Caller } from './authentication.ts';
import type { AppContext } from './context.ts';

/**
 * Who may make a call.
 *
 * - `anyone`: without a token
 * - `signed_in`: whoever has shown a valid token, or the cookie of a page that has
 * - `scope`: with one of these scopes; for the job, if the path names one; for all jobs, if what is answered is about all
 * - `full_admin`: with `admin` for all jobs. To give rights one needs them all: an admin of some jobs only could make itself
 *   one of all
 */
export type Access =
  | { readonly kind: 'anyone' }
  | { readonly kind: 'signed_in' }
  | { readonly kind: 'scope'; readonly scopes: readonly Scope[]; readonly ofAllJobs?: true }
  | { readonly kind: 'full_admin' };

/** What an answer holds. `socket`: the connection becomes a WebSocket with this subprotocol. */
export type Content =
  | { readonly kind: 'json'; readonly schema: v.GenericSchema }
  | { readonly kind: 'text'; readonly type: string }
  | { readonly kind: 'socket'; readonly subprotocol: string }
  | { readonly kind: 'empty' };

export interface OperationResponse {
  readonly description: string;
  readonly content: Content;
  /** Headers that a client may want to read. */
  readonly headers?: Readonly<Record<string, ResponseHeader>>;
}

export interface ResponseHeader {
  readonly description: string;
  /** Whether it is on every such answer. */
  readonly always: boolean;
}

/** What these schemas give, by name. */
export type Parsed<Entries extends v.ObjectEntries> = v.InferOutput<v.ObjectSchema<Entries, undefined>>;

/** What a call brings, parsed. */
export interface Call<Params extends v.ObjectEntries, Query extends v.ObjectEntries, Body> {
  readonly c: AppContext;
  readonly params: Parsed<Params>;
  readonly query: Parsed<Query>;
  readonly body: Body;
}

type Method = 'get' | 'post' | 'delete';

interface Declaration {
  /** Names the call in the OpenAPI document. */
  readonly id: string;
  readonly method: Method;
  /** With parameters as `{name}`. */
  readonly path: `/${string}`;
  readonly summary: string;
  readonly description?: string;
  /** Request headers that mean something to this call, beside those of every call. */
  readonly headers?: Readonly<Record<string, string>>;
  /** It kills: so many a minute for each token, and no more. */
  readonly isKill?: true;
  /** By status. */
  readonly responses: Readonly<Record<number, OperationResponse>>;
  /** What else can go wrong, beside what every call of this kind has in common. */
  readonly errors?: readonly ProblemCode[];
}

/** An operation as the app serves it, whatever it takes. */
export interface Operation extends Declaration {
  readonly access: Access;
  readonly params: v.ObjectEntries;
  readonly query: v.ObjectEntries;
  readonly body: v.GenericSchema | null;
  readonly handle: (call: Call<v.ObjectEntries, v.ObjectEntries, unknown>, caller: Caller | null) => Handled;
}

type Handled = Response | Promise<Response>;

/** Declares a call that anyone may make. */
export function openOperation<Schema extends v.GenericSchema = v.UnknownSchema>(
  declaration: Declaration & {
    readonly body?: Schema;
    readonly handle: (call: Call<Record<never, never>, Record<never, never>, v.InferOutput<Schema>>) => Handled;
  },
): Operation {
  const { handle, body, ...rest } = declaration;
  return {
    ...rest,
    access: { kind: 'anyone' },
    params: {},
    query: {},
    body: body ?? null,
    handle: (call) => handle(call as Parameters<typeof handle>[0]),
  };
}

/** Declares a call that takes a token, or the page's cookie. */
export function operation<
  const Params extends v.ObjectEntries = Record<never, never>,
  const Query extends v.ObjectEntries = Record<never, never>,
  Schema extends v.GenericSchema = v.UnknownSchema,
>(
  declaration: Declaration & {
    readonly access: Exclude<Access, { kind: 'anyone' }>;
    readonly params?: Params;
    readonly query?: Query;
    readonly body?: Schema;
    readonly handle: (call: Call<Params, Query, v.InferOutput<Schema>> & { readonly caller: Caller }) => Handled;
  },
): Operation {
  const { handle, params, query, body, ...rest } = declaration;
  return {
    ...rest,
    params: params ?? {},
    query: query ?? {},
    body: body ?? null,
    handle: (call, caller) => {
      if (caller === null) throw new Error(`${declaration.id} was called without a caller`);
      // What was parsed by these schemas is what they give.
      return handle({ ...(call as Call<Params, Query, v.InferOutput<Schema>>), caller });
    },
  };
}

/** Whether the call changes something, or opens a socket, which no CORS guards: a browser may do so only from our own page. */
export function needsOwnOrigin(operation: Operation): boolean {
  return operation.method !== 'get' || isSocket(operation);
}

export function isSocket(operation: Operation): boolean {
  return Object.values(operation.responses).some(({ content }) => content.kind === 'socket');
}

/** An answer in JSON. */
export function json(schema: v.GenericSchema, description: string): OperationResponse {
  return { description, content: { kind: 'json', schema } };
}

export function empty(description: string): OperationResponse {
  return { description, content: { kind: 'empty' } };
}

export function socket(subprotocol: string, description: string): OperationResponse {
  return { description, content: { kind: 'socket', subprotocol } };
}

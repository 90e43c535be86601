/**
 * An operation of the API, declared once: its path, who may call it, its input, its responses and its handler. Routing,
 * authorisation, validation and documentation all use this declaration, so they can't disagree.
 */
import type * as v from 'valibot';
import type { Scope } from '#protocol/api';
import type { ProblemCode } from '#protocol/problem';
import type { Caller } from './authentication.ts';
import type { AppContext } from './context.ts';

/**
 * Who may call an operation.
 *
 * - `anyone`: no token is required
 * - `signed_in`: any valid token or session
 * - `scope`: one of these scopes; for the job in the path, if there is one; for all jobs with `ofAllJobs`
 * - `full_admin`: `admin` for all jobs. An admin of some jobs could otherwise create a token for all of them
 */
export type Access =
  | { readonly kind: 'anyone' }
  | { readonly kind: 'signed_in' }
  | { readonly kind: 'scope'; readonly scopes: readonly Scope[]; readonly ofAllJobs?: true }
  | { readonly kind: 'full_admin' };

/** What a response contains. `socket`: the connection becomes a WebSocket with this subprotocol; null for none. */
export type Content =
  | { readonly kind: 'json'; readonly schema: v.GenericSchema }
  | { readonly kind: 'text'; readonly type: string }
  | { readonly kind: 'socket'; readonly subprotocol: string | null }
  | { readonly kind: 'empty' };

export interface OperationResponse {
  readonly description: string;
  readonly content: Content;
  /** Headers of this response, besides those of all responses. */
  readonly headers?: Readonly<Record<string, ResponseHeader>>;
}

export interface ResponseHeader {
  readonly description: string;
  /** Whether every such response has it. */
  readonly always: boolean;
}

/** The output of these schemas, by name. */
export type Parsed<Entries extends v.ObjectEntries> = v.InferOutput<v.ObjectSchema<Entries, undefined>>;

/** The parsed input of a call. */
export interface Call<Params extends v.ObjectEntries, Query extends v.ObjectEntries, Body> {
  readonly c: AppContext;
  readonly params: Parsed<Params>;
  readonly query: Parsed<Query>;
  readonly body: Body;
}

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

interface Declaration {
  /** The `operationId` in the OpenAPI document. */
  readonly id: string;
  readonly method: Method;
  /** With parameters as `{name}`. */
  readonly path: `/${string}`;
  readonly summary: string;
  readonly description?: string;
  /** Request headers of this operation, with their descriptions. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * How a caller authenticates; absent: by a token or a session. `bearer`: by a token only. `basic`: by a token as a password,
   * for clients that can't send it otherwise.
   */
  readonly authentication?: 'bearer' | 'basic';
  /** Callers come in crowds, of which some are let in at a time. */
  readonly comesInCrowds?: true;
  /** By status. */
  readonly responses: Readonly<Record<number, OperationResponse>>;
  /** Errors of this operation, besides those that all operations of its kind have. */
  readonly errors?: readonly ProblemCode[];
}

/** An operation as the app serves it, whatever its input. */
export interface Operation extends Declaration {
  /** It kills, so a rate limit applies, and its handler verifies the caller. */
  readonly isKill?: true;
  readonly access: Access;
  readonly params: v.ObjectEntries;
  readonly query: v.ObjectEntries;
  readonly body: v.GenericSchema | null;
  readonly handle: (call: Call<v.ObjectEntries, v.ObjectEntries, unknown>, caller: Caller | null) => Handled;
}

type Handled = Response | Promise<Response>;

/** Declares an operation that needs no token. */
export function openOperation<
  const Query extends v.ObjectEntries = Record<never, never>,
  Schema extends v.GenericSchema = v.UnknownSchema,
>(
  declaration: Declaration & {
    readonly query?: Query;
    readonly body?: Schema;
    readonly handle: (call: Call<Record<never, never>, Query, v.InferOutput<Schema>>) => Handled;
  },
): Operation {
  const { handle, query, body, ...rest } = declaration;
  return {
    ...rest,
    access: { kind: 'anyone' },
    params: {},
    query: query ?? {},
    body: body ?? null,
    handle: (call) => handle(call as Parameters<typeof handle>[0]),
  };
}

/** Declares an operation that requires a token or a session. */
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
      // The input was parsed with these schemas.
      return handle({ ...(call as Call<Params, Query, v.InferOutput<Schema>>), caller });
    },
  };
}

/** Declares an operation that kills: the handler has its caller verified where the kill is stored. */
export function killOperation<
  const Params extends v.ObjectEntries = Record<never, never>,
  const Query extends v.ObjectEntries = Record<never, never>,
  Schema extends v.GenericSchema = v.UnknownSchema,
>(
  declaration: Declaration & {
    readonly access: Exclude<Access, { kind: 'anyone' }>;
    readonly params?: Params;
    readonly query?: Query;
    readonly body: Schema;
    readonly handle: (call: Call<Params, Query, v.InferOutput<Schema>>) => Handled;
  },
): Operation {
  const { handle, params, query, ...rest } = declaration;
  return {
    ...rest,
    isKill: true,
    params: params ?? {},
    query: query ?? {},
    // The input was parsed with these schemas.
    handle: (call) => handle(call as Call<Params, Query, v.InferOutput<Schema>>),
  };
}

/** Whether it changes something, or opens a socket, which CORS doesn't guard: browsers may call it only from the dashboard. */
export function needsOwnOrigin(operation: Operation): boolean {
  return operation.method !== 'get' || isSocket(operation);
}

export function isSocket(operation: Operation): boolean {
  return Object.values(operation.responses).some(({ content }) => content.kind === 'socket');
}

export function json(schema: v.GenericSchema, description: string): OperationResponse {
  return { description, content: { kind: 'json', schema } };
}

export function empty(description: string): OperationResponse {
  return { description, content: { kind: 'empty' } };
}

export function socket(subprotocol: string | null, description: string): OperationResponse {
  return { description, content: { kind: 'socket', subprotocol } };
}

import type { Context } from 'hono';
import type { Env } from '../../shared/env.ts';
import type { ApiError } from '../api-error.ts';
import type { Caller } from './authentication.ts';
import type { Operation } from './operation.ts';

export interface AppEnv {
  Bindings: Env;
  Variables: {
    /** Identifies the request in logs, responses and the audit log. */
    requestId: string;
    /** Passes a request to this app, as if it had come from outside. */
    callApi: (request: Request) => Response | Promise<Response>;
    /** Unset if no route matches. */
    operation?: Operation;
    /** Unset until the caller is authenticated. */
    caller?: Caller;
    /** The path of the operation, with `{parameters}`; unset if no route matches. */
    route?: string;
    /** The error, if the call failed with one of the API's. */
    error?: ApiError;
  };
}

export type AppContext = Context<AppEnv>;

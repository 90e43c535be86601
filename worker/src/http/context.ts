import type { Context } from 'hono';
import type { Env } from '../../shared/env.ts';
import type { ApiError } from '../api-error.ts';
import type { Caller } from './authentication.ts';
import type { Operation } from './operation.ts';

/** What every call finds in its context. */
export interface AppEnv {
  Bindings: Env;
  Variables: {
    /** Names this request in logs, answers and the audit. */
    requestId: string;
    /** What is called; not set where nothing is there. */
    operation?: Operation;
    /** Who calls, once that is known. */
    caller?: Caller;
    /** The path of the operation that was called, parameters unfilled; unset when there is none. */
    route?: string;
    /** Why the call was refused, if it was. */
    refusal?: ApiError;
  };
}

export type AppContext = Context<AppEnv>;

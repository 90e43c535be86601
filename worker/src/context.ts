import type { Context } from 'hono';
import type { Env } from '../env.ts';
import type { ApiError } from './problem-response.ts';

/** What every call finds in its context. */
export interface AppEnv {
  Bindings: Env;
  Variables: {
    /** Names this request in logs, answers and the audit. */
    requestId: string;
    /** The path of the operation that was called, parameters unfilled; unset when there is none. */
    route?: string;
    /** The id of the caller's token, once it is known. */
    tokenId?: string;
    /** Why the call was refused, if it was. */
    refusal?: ApiError;
  };
}

export type AppContext = Context<AppEnv>;

import type { Context } from 'hono';
import type { Env } from '../env.ts';
import type { Caller } from './authentication.ts';

/** What every route finds in its context. */
export interface AppEnv {
  Bindings: Env;
  Variables: {
    /** Names this request in logs, errors and the audit. */
    requestId: string;
    caller: Caller;
  };
}

export type AppContext = Context<AppEnv>;

import type { Context } from 'hono';
import type { Env } from '../env.ts';

/** What every call finds in its context. */
export interface AppEnv {
  Bindings: Env;
  Variables: {
    /** Names this request in logs, errors and the audit. */
    requestId: string;
  };
}

export type AppContext = Context<AppEnv>;

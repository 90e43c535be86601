import type { ApiClient } from './api-client.ts';
import type { Output } from './output.ts';

/** What a subcommand that calls the API works with. */
export interface OperatorContext {
  readonly api: ApiClient;
  readonly output: Output;
  readonly env: NodeJS.ProcessEnv;
}

/** Calls of Cloudflare's API, with answers that are checked and errors that say what was asked. */
import * as v from 'valibot';
import { DeployError } from './deploy-error.ts';

/** Signs calls: an API token, or an e-mail address with a global key. */
export type Credentials =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'key'; readonly email: string; readonly key: string };

/** The API said no. */
export class CloudflareError extends Error {
  override readonly name = 'CloudflareError';
  readonly status: number;
  readonly codes: readonly number[];

  constructor(
    { what, permission }: ApiCall,
    status: number,
    errors: readonly { readonly code: number; readonly message: string }[],
  ) {
    const isFault = status >= 500 || status === 429;
    const reasons = errors.map(({ code, message }) => `${message.replace(/\.$/, '')} (code ${code})`).join('; ');
    const advice =
      permission !== undefined && (status === 401 || status === 403)
        ? ` The credentials must be valid, with the permission “${permission}”.`
        : '';
    super(
      `Cloudflare’s API ${isFault ? 'failed' : 'refused'} to ${what}: ${reasons === '' ? `HTTP status ${status}` : reasons}.${advice}`,
    );
    this.status = status;
    this.codes = errors.map(({ code }) => code);
  }

  has(code: number): boolean {
    return this.codes.includes(code);
  }
}

export interface ApiCall {
  readonly method?: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  /** In words, to follow "refused to". */
  readonly what: string;
  /** What an API token must have for it, as the dashboard calls it. */
  readonly permission?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A permission of API tokens. */
export const SCRIPTS_EDIT = 'Workers Scripts: Edit';

const Envelope = v.object({
  success: v.boolean(),
  errors: v.optional(v.array(v.object({ code: v.number(), message: v.string() })), []),
  result: v.unknown(),
});

const DEFAULT_BASE_URL = 'https://api.cloudflare.com/client/v4';
/** The path leads nowhere, whatever it names. */
const UNKNOWN_ACCOUNT = 7003;
/** An answer later than this doesn't come. */
const LIMIT_MS = 60_000;

export class CloudflareApi {
  readonly #baseUrl: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** @param env CLOUDFLARE_API_BASE_URL is another address of the API, as wrangler takes it, too */
  constructor(credentials: Credentials, env: NodeJS.ProcessEnv) {
    this.#baseUrl = (env.CLOUDFLARE_API_BASE_URL ?? DEFAULT_BASE_URL).replace(/\/$/, '');
    this.#headers =
      credentials.kind === 'token'
        ? { Authorization: `Bearer ${credentials.token}` }
        : { 'X-Auth-Email': credentials.email, 'X-Auth-Key': credentials.key };
  }

  /** @throws CloudflareError when the API refuses the call, DeployError when it can't be reached */
  async call<Schema extends v.GenericSchema>(schema: Schema, call: ApiCall): Promise<v.InferOutput<Schema>> {
    const { status, text } = await this.#send(call);
    const envelope = v.safeParse(v.pipe(v.string(), v.parseJson(), Envelope), text);
    if (!envelope.success) throw new CloudflareError(call, status, []);
    const { success, errors, result } = envelope.output;
    if (!success) throw new CloudflareError(call, status, errors);
    const parsed = v.safeParse(schema, result);
    if (parsed.success) return parsed.output;
    const { message, path } = parsed.issues[0];
    const where = path?.map(({ key }) => String(key)).join('.') ?? 'the whole';
    throw new DeployError(`Cloudflare’s API answered unexpectedly when asked to ${call.what}: ${where}: ${message}`);
  }

  /** As {@link call}, but null when there is nothing at the path. */
  async find<Schema extends v.GenericSchema>(schema: Schema, call: ApiCall): Promise<v.InferOutput<Schema> | null> {
    try {
      return await this.call(schema, call);
    } catch (error) {
      const isAbsent = error instanceof CloudflareError && error.status === 404 && !error.has(UNKNOWN_ACCOUNT);
      if (isAbsent) return null;
      throw error;
    }
  }

  async #send({ method = 'GET', path, what, body, headers }: ApiCall): Promise<{ status: number; text: string }> {
    try {
      const response = await fetch(`${this.#baseUrl}${path}`, {
        method,
        headers: {
          ...this.#headers,
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...headers,
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.timeout(LIMIT_MS),
      });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      throw new DeployError(`Cloudflare’s API could not be reached to ${what}: ${reasonOf(error)}`);
    }
  }
}

/** fetch hides why it failed in the cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/**
 * Cloudflare's API as far as a deployment uses it, on loopback: it keeps what it is given, and refuses what the real one
 * refuses. Databases are SQLite in memory, behind a splitter as naive as the server's may be.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import * as v from 'valibot';
import { splitNaively } from './naive-split.ts';

export const ACCOUNT_ID = '0123456789abcdef0123456789abcdef';
export const API_TOKEN = 'the-api-token-of-the-tests';

export interface FakeDatabase {
  readonly id: string;
  readonly name: string;
  readonly jurisdiction: string | null;
  readonly region: string;
  readonly sqlite: DatabaseSync;
}

const Binding = v.looseObject({ type: v.string(), name: v.string() });
export type FakeBinding = v.InferOutput<typeof Binding>;

export interface FakeWorker {
  readonly bindings: readonly FakeBinding[];
  readonly uploads: number;
  readonly migrationTag: string | null;
  readonly observability: unknown;
}

/** What becomes of one call: it fails before or after the server has done it, or its answer is lost. */
export type Fault = 'refused' | 'failed after' | 'lost';

/** An error as the API reports it. */
class ApiFault extends Error {
  readonly status: number;
  readonly code: number;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly url: URL;
  readonly request: IncomingMessage;
  readonly body: Buffer;
}

const WORKER_NOT_FOUND = new ApiFault(404, 10007, 'This Worker does not exist on your account.');

export class FakeCloudflare {
  readonly accounts = [{ id: ACCOUNT_ID, name: 'Example' }];
  readonly databases = new Map<string, FakeDatabase>();
  readonly workers = new Map<string, FakeWorker>();
  readonly buckets = new Map<string, string>();
  readonly domains = new Map<string, string>();
  /** Host names that have a DNS record, or belong to another Worker. */
  readonly takenHosts = new Set<string>();
  subdomain: string | null = 'example';
  isR2On = true;
  /** Whether the statements of a call are one transaction. */
  isAtomic = true;
  /** Every call, as `METHOD path`. */
  readonly calls: string[] = [];
  /** Decides about each call, by its number. */
  fault: (call: string, number: number) => Fault | null = () => null;
  /** Of a call with several statements: fails before this one. */
  failingStatement: number | null = null;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      void this.#respond(request).then(
        (answer) => {
          if (answer === null) request.socket.destroy();
          else response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
        },
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    for (const { sqlite } of this.databases.values()) sqlite.close();
  }

  /** What signs a deployment in to this account, and leads it here. */
  get env(): Record<string, string> {
    const { port } = this.#server.address() as AddressInfo;
    return { CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${port}/client/v4`, CLOUDFLARE_API_TOKEN: API_TOKEN };
  }

  databaseNamed(name: string): FakeDatabase | undefined {
    return [...this.databases.values()].find((database) => database.name === name);
  }

  /** Uploads a Worker, as wrangler does. */
  upload(name: string, metadata: unknown): FakeWorker {
    const { bindings, migrations, observability } = v.parse(Metadata, metadata);
    const before = this.workers.get(name);
    const kept = before?.bindings.filter(({ type }) => type === 'secret_text') ?? [];
    const set = bindings.flatMap((binding) =>
      binding.type === 'inherit' ? this.#inherited(binding, kept) : [binding],
    );
    for (const binding of set) this.#check(binding);
    const worker: FakeWorker = {
      bindings: [...set, ...kept.filter(({ name }) => !set.some((binding) => binding.name === name))],
      uploads: (before?.uploads ?? 0) + 1,
      migrationTag: migrations?.new_tag ?? before?.migrationTag ?? null,
      observability: observability ?? null,
    };
    this.workers.set(name, worker);
    return worker;
  }

  #uploaded(name: string, metadata: unknown) {
    this.upload(name, metadata);
    const id = randomUUID();
    return { id, etag: id, deployment_id: id.replaceAll('-', ''), pipeline_hash: id, startup_time_ms: 10 };
  }

  #inherited(binding: FakeBinding, kept: readonly FakeBinding[]): readonly FakeBinding[] {
    const found = kept.filter(({ name }) => name === binding.name);
    if (found.length > 0) return found;
    throw new ApiFault(400, 10057, `inherit binding '${binding.name}' is invalid: there is no such binding`);
  }

  #check(binding: FakeBinding): void {
    if (binding.type === 'd1' && !this.databases.has(String(binding.id ?? binding.database_id))) {
      throw new ApiFault(400, 10181, `D1 binding '${binding.name}' references database which was not found`);
    }
    if (binding.type === 'r2_bucket' && !this.buckets.has(String(binding.bucket_name))) {
      throw new ApiFault(400, 10085, `R2 bucket '${String(binding.bucket_name)}' not found`);
    }
  }

  async #respond(request: IncomingMessage): Promise<{ status: number; body: string } | null> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '/', 'http://localhost');
    const path = url.pathname.replace('/client/v4', '');
    const method = request.method ?? 'GET';
    const number = this.calls.push(`${method} ${path}`);
    const fault = this.fault(`${method} ${path}`, number);
    if (fault === 'refused') return failure(new ApiFault(500, 10013, 'An unknown error has occurred.'));
    const answer = await this.#answer({ method, path, url, request, body: Buffer.concat(chunks) });
    if (fault === 'failed after') return failure(new ApiFault(500, 10013, 'An unknown error has occurred.'));
    return fault === 'lost' ? null : answer;
  }

  async #answer(call: Call): Promise<{ status: number; body: string }> {
    try {
      if (call.request.headers.authorization !== `Bearer ${API_TOKEN}`) {
        throw new ApiFault(401, 10000, 'Authentication error');
      }
      return success(await this.#route(call));
    } catch (error) {
      if (error instanceof ApiFault) return failure(error);
      throw error;
    }
  }

  async #route(call: Call): Promise<unknown> {
    if (call.path === '/accounts' || call.path === '/memberships') return this.accounts;
    const [, account, rest = ''] = /^\/accounts\/([^/]+)(\/.*)$/.exec(call.path) ?? [];
    if (!this.accounts.some(({ id }) => id === account)) {
      throw new ApiFault(404, 7003, `Could not route to ${call.path}, perhaps your object identifier is invalid?`);
    }
    if (rest.startsWith('/d1/')) return this.#routeD1(call, rest);
    if (rest.startsWith('/r2/')) return this.#routeR2(call, rest);
    return this.#routeWorkers(call, rest);
  }

  #routeD1({ method, body }: Call, rest: string): unknown {
    const [, key = '', action] = /^\/d1\/database(?:\/([^/]+)(\/query)?)?$/.exec(rest) ?? [];
    if (method === 'POST' && key === '') return this.#createDatabase(v.parse(NewDatabase, parse(body)));
    const database = this.databases.get(key) ?? this.databaseNamed(decodeURIComponent(key));
    if (database === undefined) throw new ApiFault(404, 7404, `The database ${key} could not be found`);
    if (action === undefined) return resourceOf(database);
    const batch = v.parse(Query, parse(body));
    return this.#query(database.sqlite, 'batch' in batch ? batch.batch : [batch]);
  }

  #createDatabase({ name, jurisdiction, primary_location_hint: hint = 'weur' }: v.InferOutput<typeof NewDatabase>) {
    if (this.databaseNamed(name) !== undefined)
      throw new ApiFault(400, 7502, `Database with name '${name}' already exists`);
    const database: FakeDatabase = {
      id: randomUUID(),
      name,
      jurisdiction: jurisdiction ?? null,
      region: hint.toUpperCase(),
      sqlite: new DatabaseSync(':memory:'),
    };
    this.databases.set(database.id, database);
    return resourceOf(database);
  }

  #query(sqlite: DatabaseSync, queries: readonly v.InferOutput<typeof SingleQuery>[]): unknown {
    const statements = queries.flatMap(({ sql, params }) =>
      splitNaively(sql).map((statement) => ({ statement, params })),
    );
    const run = ({ statement, params }: (typeof statements)[number], index: number) => {
      if (index === this.failingStatement && statements.length > 1) throw new Error('interrupted');
      return { results: sqlite.prepare(statement).all(...params), success: true, meta: {} };
    };
    if (this.isAtomic) sqlite.exec('BEGIN');
    try {
      const results = statements.map(run);
      if (this.isAtomic) sqlite.exec('COMMIT');
      return results;
    } catch (error) {
      if (this.isAtomic) sqlite.exec('ROLLBACK');
      throw new ApiFault(400, 7500, `${error instanceof Error ? error.message : String(error)}: SQLITE_ERROR`);
    }
  }

  #routeR2({ method, body, request }: Call, rest: string): unknown {
    if (!this.isR2On) throw new ApiFault(403, 10042, 'Please enable R2 through the Cloudflare Dashboard.');
    const jurisdiction = String(request.headers['cf-r2-jurisdiction'] ?? '');
    if (method === 'POST') {
      const { name } = v.parse(v.object({ name: v.string() }), parse(body));
      this.buckets.set(name, jurisdiction);
      return { name };
    }
    const name = rest.slice('/r2/buckets/'.length);
    if (this.buckets.get(name) !== jurisdiction) throw new ApiFault(404, 10006, 'The specified bucket does not exist.');
    return { name };
  }

  async #routeWorkers(call: Call, rest: string): Promise<unknown> {
    const { method, body, url } = call;
    if (rest === '/workers/subdomain') return this.#routeSubdomain(call);
    if (rest === '/workers/domains') {
      const service = url.searchParams.get('service');
      return [...this.domains].flatMap(([hostname, owner]) =>
        owner === service ? [{ hostname, service: owner }] : [],
      );
    }
    const [, kind, name = '', action = ''] = /^\/workers\/(scripts|services|workers)\/([^/]+)(\/.*)?$/.exec(rest) ?? [];
    const worker = this.workers.get(name);
    if (kind === 'scripts' && action === '' && method === 'PUT') return this.#uploaded(name, await metadataOf(call));
    // Assets come before the first upload.
    if (action === '/assets-upload-session') return { jwt: 'jwt', buckets: [] };
    if (worker === undefined) throw WORKER_NOT_FOUND;
    switch (action) {
      case '/settings':
        return {
          bindings: worker.bindings.map(({ text, ...binding }) =>
            binding.type === 'secret_text' ? binding : { text, ...binding },
          ),
        };
      case '/secrets':
        return worker.bindings.filter(({ type }) => type === 'secret_text').map(({ name, type }) => ({ name, type }));
      case '/domains/records':
        return this.#addDomains(name, v.parse(NewDomains, parse(body)).origins);
      case '/deployments':
        return method === 'POST'
          ? { id: randomUUID() }
          : {
              deployments: [
                { id: randomUUID(), source: 'wrangler', versions: [{ version_id: randomUUID(), percentage: 100 }] },
              ],
            };
      case '/schedules':
      case '/subdomain':
      case '/script-settings':
        return method === 'GET' ? { enabled: true, previews_enabled: false } : parse(body);
      case '':
        if (kind === 'services')
          return {
            id: name,
            default_environment: { environment: 'production', script: { last_deployed_from: 'wrangler', tag: 'tag' } },
          };
        if (kind === 'workers') return { id: name, name, subdomain: { enabled: true, previews_enabled: false } };
        break;
    }
    throw new ApiFault(404, 7000, `No route for that URI: ${method} ${rest}`);
  }

  #routeSubdomain({ method, body }: Call): unknown {
    if (method === 'PUT') {
      const { subdomain } = v.parse(v.object({ subdomain: v.string() }), parse(body));
      if (this.takenHosts.has(`${subdomain}.workers.dev`)) throw new ApiFault(409, 10036, 'Subdomain is unavailable');
      this.subdomain = subdomain;
    }
    if (this.subdomain === null) throw new ApiFault(404, 10007, 'workers.dev subdomain does not exist');
    return { subdomain: this.subdomain };
  }

  #addDomains(name: string, origins: readonly { readonly hostname: string }[]): null {
    const taken = origins.find(({ hostname }) => this.takenHosts.has(hostname));
    if (taken !== undefined) {
      throw new ApiFault(409, 100117, `Hostname '${taken.hostname}' already has externally managed DNS records`);
    }
    for (const { hostname } of origins) this.domains.set(hostname, name);
    return null;
  }
}

const Metadata = v.object({
  bindings: v.array(Binding),
  migrations: v.optional(v.object({ new_tag: v.string() })),
  observability: v.optional(v.unknown()),
});
const NewDatabase = v.strictObject({
  name: v.string(),
  jurisdiction: v.optional(v.picklist(['eu', 'us', 'fedramp'])),
  primary_location_hint: v.optional(v.string()),
});
const SingleQuery = v.object({ sql: v.string(), params: v.optional(v.array(v.string()), []) });
const Query = v.union([v.object({ batch: v.array(SingleQuery) }), SingleQuery]);
const NewDomains = v.object({ origins: v.array(v.object({ hostname: v.string() })) });

function parse(body: Buffer): unknown {
  return JSON.parse(body.toString());
}

function success(result: unknown): { status: number; body: string } {
  return { status: 200, body: JSON.stringify({ success: true, errors: [], messages: [], result }) };
}

function failure({ status, code, message }: ApiFault): { status: number; body: string } {
  return { status, body: JSON.stringify({ success: false, errors: [{ code, message }], messages: [], result: null }) };
}

async function metadataOf({ request, body }: Call): Promise<unknown> {
  const headers = { 'content-type': String(request.headers['content-type']) };
  const form = await new Response(new Uint8Array(body), { headers }).formData();
  const metadata = form.get('metadata');
  return JSON.parse(typeof metadata === 'string' ? metadata : await (metadata?.text() ?? '{}'));
}

function resourceOf({ id, name, jurisdiction, region }: FakeDatabase) {
  return { uuid: id, name, jurisdiction, running_in_region: region, created_at: '2026-10-01T00:00:00Z' };
}

/** The API as a client calls it. */
import { exports } from 'cloudflare:workers';
import { ulid } from 'ulid';
import type * as v from 'valibot';
import type { Kill, KillBody, TokenBody } from '#protocol/api';
import type { NewToken } from '#protocol/new-token';
import { Conformance, type OpenApiDocument } from '#testing/conformance';
import { env } from './env.ts';

export const ORIGIN = 'https://leash.test';

let conformance: Promise<Conformance> | null = null;

/** Makes a call, and checks that its response conforms to the OpenAPI document. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await send(path, init);
  conformance ??= openApi().then((document) => new Conformance(document));
  const { pathname } = new URL(path, ORIGIN);
  const violation = await (await conformance).check({ method: init.method ?? 'GET', pathname }, response);
  if (violation !== null) throw new Error(violation);
  return response;
}

export async function openApi(): Promise<OpenApiDocument> {
  return (await send('/openapi.json')).json();
}

function send(path: string, init: RequestInit = {}): Promise<Response> {
  return exports.default.fetch(new Request(`${ORIGIN}${path}`, init));
}

/** A call with a token; the admin token when none is given. */
export function call(
  method: string,
  path: string,
  options: { token?: string; body?: unknown; headers?: Record<string, string> } = {},
): Promise<Response> {
  const headers = new Headers({
    Authorization: `Bearer ${options.token ?? env.LEASH_ADMIN_TOKEN}`,
    ...options.headers,
  });
  if (options.body !== undefined) headers.set('Content-Type', 'application/json');
  return request(`/api/v1${path}`, {
    method,
    headers,
    ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
  });
}

export async function postKill(job: string, body: unknown = {}, headers: Record<string, string> = {}) {
  const response = await call('POST', `/jobs/${job}/kill`, { body, headers });
  return (await response.json<v.InferOutput<typeof KillBody>>()).kill;
}

/** A kill in the queue, for an instance that never connects. */
export function aKill(job: string): Kill {
  const now = Date.now();
  return {
    id: ulid(now),
    job,
    kind: 'kill',
    state: 'queued',
    run: null,
    instance: 'nobody',
    machine: null,
    signal: 'SIGTERM',
    grace_ms: 5_000,
    include: null,
    reason: null,
    requested_by: 'test',
    request_id: null,
    batch: null,
    requested_at: new Date(now).toISOString(),
    expires_at: new Date(now + 600_000).toISOString(),
    targets: [],
    stored_ms: null,
    found_nothing: false,
    seq: 0,
  };
}

export async function getKill(id: string) {
  const response = await call('GET', `/kills/${id}`);
  return (await response.json<v.InferOutput<typeof KillBody>>()).kill;
}

export async function newToken(token: v.InferInput<typeof NewToken>) {
  const response = await call('POST', '/tokens', { body: token });
  return response.json<v.InferOutput<typeof TokenBody>>();
}

/** An expired token; the API can't create one. */
export async function expiredToken(token: v.InferInput<typeof NewToken>) {
  const made = await newToken(token);
  await env.DB.prepare('UPDATE tokens SET expires_at = 1577836800000 WHERE id = ?').bind(made.token.id).run();
  return made;
}

/** Signs a dashboard in. @returns the headers that authenticate it */
export async function signedIn(token: string): Promise<{ Cookie: string; Origin: string }> {
  const response = await request('/api/v1/session', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Origin: ORIGIN },
    body: JSON.stringify({ token }),
  });
  return { Cookie: response.headers.get('Set-Cookie')?.split(';')[0] ?? '', Origin: ORIGIN };
}

/** The status and the stable error code of a refusal. */
export async function refusal(response: Response | Promise<Response>): Promise<string> {
  const answered = await response;
  const { code } = await answered.json<{ code: string }>();
  return `${answered.status} ${code}`;
}

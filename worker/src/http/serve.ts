/** Serving an operation: authenticates and authorises the caller, parses the input, and calls the handler. */
import * as v from 'valibot';
import { describeIssue } from '#protocol/text-frame';
import { ApiError } from '../api-error.ts';
import { admit } from './admit.ts';
import {
  authenticate,
  type Caller,
  readPresented,
  requireAllJobs,
  requireFullAdmin,
  requireOwnOrigin,
  requireScope,
} from './authentication.ts';
import type { AppContext } from './context.ts';
import { recordCaller } from './last-use.ts';
import { isSocket, needsOwnOrigin, type Operation, type Parsed } from './operation.ts';
import { requireKillRate } from './rate-limit.ts';

/** @throws ApiError */
export async function serve(c: AppContext, operation: Operation): Promise<Response> {
  c.set('operation', operation);
  if (operation.isKill) return serveKill(c, operation);
  return operation.comesInCrowds ? admit(c, () => respond(c, operation)) : respond(c, operation);
}

async function respond(c: AppContext, operation: Operation): Promise<Response> {
  const caller = operation.access.kind === 'anyone' ? null : await findCaller(c, operation.authentication);
  const params = readParams(c, operation);
  if (caller !== null) authorise(c, operation, caller, params);
  const query = readQuery(c, operation);
  if (isSocket(operation)) requireUpgrade(c, operation);
  return operation.handle({ c, params, query, body: await readBody(c, operation) }, caller);
}

/**
 * The caller of a kill is verified where the kill is stored, which saves a round trip. Only the error of a call that can't be
 * right is not told to just anyone.
 */
async function serveKill(c: AppContext, operation: Operation): Promise<Response> {
  return operation.handle(await readKillCall(c, operation), null);
}

async function readKillCall(c: AppContext, operation: Operation) {
  const who = readPresented(c.req.raw);
  try {
    requireOwnOrigin(c.req.raw, who);
    const [params, query, body] = [readParams(c, operation), readQuery(c, operation), await readBody(c, operation)];
    await requireKillRate(c, who.presented.secret ?? who.presented.session);
    return { c, params, query, body };
  } catch (error) {
    const caller = await findCaller(c);
    authorise(c, operation, caller, readParams(c, operation));
    throw error;
  }
}

async function findCaller(c: AppContext, by?: Operation['authentication']): Promise<Caller> {
  return recordCaller(c, await authenticate(c.req.raw, c.env, Date.now(), by));
}

type Values = Parsed<v.ObjectEntries>;

function authorise(c: AppContext, operation: Operation, caller: Caller, params: Values): void {
  const job = typeof params.job === 'string' ? params.job : undefined;
  switch (operation.access.kind) {
    case 'anyone':
    case 'signed_in':
      break;
    case 'scope':
      requireScope(caller.token, operation.access.scopes, job);
      if (operation.access.ofAllJobs === true) requireAllJobs(caller.token);
      break;
    case 'full_admin':
      requireFullAdmin(caller.token);
      break;
  }
  if (needsOwnOrigin(operation)) requireOwnOrigin(c.req.raw, caller);
}

function readParams(c: AppContext, operation: Operation): Values {
  return readEntries(v.object(operation.params), c.req.param());
}

/** Strict: a mistyped filter would otherwise be ignored, and the call would list or match everything. */
function readQuery(c: AppContext, operation: Operation): Values {
  const given = Object.entries(c.req.queries());
  const repeated = given.find(([, values]) => values.length > 1);
  if (repeated !== undefined) throw new ApiError('bad_request', `\`${repeated[0]}\` must not be repeated`);
  return readEntries(
    v.strictObject(operation.query),
    Object.fromEntries(given.map(([name, [value]]) => [name, value])),
  );
}

type Entries = v.GenericSchema<unknown, Values> & { readonly entries: v.ObjectEntries };

function readEntries(schema: Entries, value: unknown): Values {
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const isCursor = v.getDotPath(issue) === 'cursor';
  if (isCursor) throw new ApiError('bad_cursor', 'Invalid cursor. Start again without one.');
  throw new ApiError(
    'bad_request',
    issue.expected === 'never' ? unknownParameter(issue, schema) : describeIssue(issue),
  );
}

function unknownParameter(issue: v.BaseIssue<unknown>, { entries }: Entries): string {
  const known = Object.keys(entries);
  const allowed = known.length === 0 ? '' : `; allowed: ${known.map((name) => `\`${name}\``).join(', ')}`;
  return `Unknown query parameter \`${v.getDotPath(issue)}\`${allowed}`;
}

/**
 * The JSON body; an empty one counts as `{}`.
 *
 * The content type must be JSON, too: a form on another site can't send that.
 */
async function readBody(c: AppContext, { body: schema }: Operation): Promise<unknown> {
  if (schema === null) return undefined;
  const type = c.req.header('Content-Type')?.split(';')[0]?.trim().toLowerCase();
  const isJson = type === 'application/json';
  if (type !== undefined && !isJson) throw notJson();
  const text = await c.req.text();
  if (text !== '' && !isJson) throw notJson();
  const json = text === '' ? {} : parseJson(text);
  // valibot takes an array for an object without entries, which may mean "everything". Its error for other types quotes the
  // value, which may be a token.
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new ApiError('bad_request', 'The body must be a JSON object.');
  }
  const parsed = v.safeParse(schema, json);
  if (!parsed.success) throw new ApiError('bad_request', `body: ${describeIssue(parsed.issues[0])}`);
  return parsed.output;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Only JSON.parse throws here.
    throw new ApiError('bad_json', 'The body must be valid JSON.');
  }
}

function notJson(): ApiError {
  return new ApiError('unsupported_media_type', '`Content-Type` must be `application/json`.');
}

function requireUpgrade(c: AppContext, operation: Operation): void {
  if (c.req.header('Upgrade')?.toLowerCase() !== 'websocket') {
    throw new ApiError('upgrade_required', 'This endpoint requires a WebSocket upgrade.');
  }
  const offered = (c.req.header('Sec-WebSocket-Protocol') ?? '').split(',').map((name) => name.trim());
  const subprotocols = Object.values(operation.responses).flatMap(({ content }) =>
    content.kind === 'socket' && content.subprotocol !== null ? [content.subprotocol] : [],
  );
  if (subprotocols.length > 0 && !subprotocols.some((subprotocol) => offered.includes(subprotocol))) {
    throw new ApiError('bad_request', `\`Sec-WebSocket-Protocol\` must offer ${subprotocols.join(' or ')}.`);
  }
}

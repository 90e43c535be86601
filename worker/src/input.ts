/** Reading what a client sent: parsed by a schema, or refused with a problem that names the place. */
import * as v from 'valibot';
import { describeIssue } from '#protocol/text-frame';
import type { AppContext } from './context.ts';
import { ApiError } from './problem-response.ts';

/** @throws ApiError `bad_request` */
export function readValue<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  name: string,
): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, value);
  if (!parsed.success) throw new ApiError('bad_request', `${name}: ${describeIssue(parsed.issues[0])}`);
  return parsed.output;
}

/**
 * The JSON body; an empty one counts as `{}`.
 *
 * JSON is required by its content type too: a form on a foreign page cannot send that.
 *
 * @throws ApiError `unsupported_media_type`, `bad_json` or `bad_request`
 */
export async function readBody<Schema extends v.GenericSchema>(
  c: AppContext,
  schema: Schema,
): Promise<v.InferOutput<Schema>> {
  const type = c.req.header('Content-Type')?.split(';')[0]?.trim().toLowerCase();
  const isJson = type === 'application/json';
  if (type !== undefined && !isJson) throw notJson();
  const text = await c.req.text();
  if (text === '') return readValue(schema, {}, 'body');
  if (!isJson) throw notJson();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Only JSON.parse throws here.
    throw new ApiError('bad_json', 'The body is not JSON.');
  }
  // To the schema library an array is an object without entries, and that may mean "everything".
  if (Array.isArray(json)) throw new ApiError('bad_request', 'body: send a JSON object, not an array.');
  return readValue(schema, json, 'body');
}

/** A whole number in the query, within bounds. @throws ApiError `bad_request` */
export function readInteger(
  c: AppContext,
  name: string,
  bounds: { min: number; max: number; fallback: number },
): number {
  const text = c.req.query(name);
  if (text === undefined) return bounds.fallback;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= bounds.min && value <= bounds.max) return value;
  throw new ApiError(
    'bad_request',
    `${name}: a whole number from ${bounds.min} to ${bounds.max}, not ${JSON.stringify(text)}`,
  );
}

export function readLimit(c: AppContext): number {
  return readInteger(c, 'limit', { min: 1, max: 500, fallback: 100 });
}

/** An optional value in the query. @throws ApiError `bad_request` */
export function readQuery<Schema extends v.GenericSchema>(
  c: AppContext,
  name: string,
  schema: Schema,
): v.InferOutput<Schema> | undefined {
  const text = c.req.query(name);
  return text === undefined ? undefined : readValue(schema, text, name);
}

function notJson(): ApiError {
  return new ApiError('unsupported_media_type', 'Send JSON, with `Content-Type: application/json`.');
}

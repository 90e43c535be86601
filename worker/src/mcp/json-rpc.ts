/** JSON-RPC 2.0, as MCP uses it. Source: https://www.jsonrpc.org/specification */
import * as v from 'valibot';

/** A request, or a notification, which has no id. */
export const Message = v.looseObject({
  jsonrpc: v.literal('2.0'),
  id: v.optional(v.union([v.string(), v.number()])),
  method: v.string(),
  params: v.optional(v.looseObject({}), {}),
});
export type Message = v.InferOutput<typeof Message>;

export const ResponseMessage = v.looseObject({ jsonrpc: v.literal('2.0'), id: v.union([v.string(), v.number()]) });

export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;

export class JsonRpcError extends Error {
  override readonly name = 'JsonRpcError';
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

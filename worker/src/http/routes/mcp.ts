/** `POST /mcp`: the Model Context Protocol. */
import { Message, ResponseMessage } from '../../mcp/json-rpc.ts';
import { serveMcp } from '../../mcp/serve-mcp.ts';
import { empty, json, operation } from '../operation.ts';

export const mcpOperations = [
  operation({
    id: 'postMcp',
    method: 'post',
    path: '/mcp',
    summary: 'Serve the Model Context Protocol',
    description:
      'Streamable HTTP without sessions: each request is complete. The tools list jobs and runs, read output, explain how a run ended, preview a kill, and kill. They do what the API allows with the same token.',
    access: { kind: 'scope', scopes: ['read', 'kill'] },
    authentication: 'bearer',
    body: Message,
    responses: {
      200: json(ResponseMessage, 'The response to a JSON-RPC request: a result, or an error.'),
      202: empty('A notification was received.'),
    },
    handle: async ({ c, caller, body }) => {
      const response = await serveMcp(body, c.req.raw, caller.token, c.get('callApi'));
      return response === null ? c.body(null, 202) : c.json(response);
    },
  }),
];

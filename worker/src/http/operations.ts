/** All operations of the API. */
import * as v from 'valibot';
import { openApiDocument } from './openapi.ts';
import { json, type Operation, openOperation } from './operation.ts';
import { alertOperations } from './routes/alerts.ts';
import { auditOperations } from './routes/audit.ts';
import { brakeOperations } from './routes/brakes.ts';
import { expectationOperations } from './routes/expectations.ts';
import { healthOperations } from './routes/health.ts';
import { indexOperations } from './routes/index-size.ts';
import { installOperations } from './routes/install.ts';
import { jobOperations } from './routes/jobs.ts';
import { killOperations } from './routes/kills.ts';
import { machineOperations } from './routes/machines.ts';
import { mcpOperations } from './routes/mcp.ts';
import { metricsOperations } from './routes/metrics.ts';
import { reportOperations } from './routes/report.ts';
import { runOperations } from './routes/runs.ts';
import { saltpeterOperations } from './routes/saltpeter.ts';
import { sessionOperations } from './routes/session.ts';
import { socketOperations } from './routes/sockets.ts';
import { tokenOperations } from './routes/tokens.ts';

export const BASE = '/api/v1';

/** Below `BASE`. */
export const API_OPERATIONS: readonly Operation[] = [
  ...killOperations,
  ...brakeOperations,
  ...jobOperations,
  ...runOperations,
  ...reportOperations,
  ...machineOperations,
  ...expectationOperations,
  ...socketOperations,
  ...tokenOperations,
  ...alertOperations,
  ...sessionOperations,
  ...auditOperations,
  ...indexOperations,
];

let document: ReturnType<typeof openApiDocument> | null = null;

/** At the root, where monitors and tools expect them. */
export const ROOT_OPERATIONS: readonly Operation[] = [
  ...healthOperations,
  ...metricsOperations,
  ...installOperations,
  ...mcpOperations,
  ...saltpeterOperations,
  openOperation({
    id: 'getOpenApi',
    method: 'get',
    path: '/openapi.json',
    summary: 'Get this document',
    responses: { 200: json(v.looseObject({ openapi: v.string() }), 'The OpenAPI document.') },
    handle: ({ c }) => {
      // Made once, at the first call: a start of the Worker must not wait for it.
      document ??= openApiDocument(ROOT_OPERATIONS, API_OPERATIONS, BASE);
      return c.json(document);
    },
  }),
];

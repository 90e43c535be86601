/** The OpenAPI document, generated from the operations as they are served. */
import { type ConversionConfig, toJsonSchema, toJsonSchemaDefs } from '@valibot/to-json-schema';
import type * as v from 'valibot';
import { Alert, AlertChanges, Channel, Delivery, NewAlert } from '#protocol/alerts';
import {
  AuditEntry,
  IndexSize,
  Job,
  Kill,
  KillManyRequest,
  KillRequest,
  LastEnd,
  REQUEST_ID_HEADER,
  RotateToken,
  Run,
  RunEnd,
  RunEvent,
  Session,
  Target,
  TargetTiming,
  Token,
} from '#protocol/api';
import { Brake, NewBrake } from '#protocol/brakes';
import { Expectation, Habits, NewExpectation, OverdueRun } from '#protocol/expectations';
import { FIELD_DESCRIPTIONS } from '#protocol/field-descriptions';
import { Machine, MachineJob } from '#protocol/machines';
import { NewToken } from '#protocol/new-token';
import { Problem, type ProblemCode, problemStatus } from '#protocol/problem';
import { Checked, Finding, Report, ReportedJob } from '#protocol/report';
import { isSocket, needsOwnOrigin, type Operation, type OperationResponse, type ResponseHeader } from './operation.ts';

type Json = { readonly [key: string]: unknown };

/** Schemas with a name of their own in the document. */
const RESPONSE_SCHEMAS = {
  Alert,
  AuditEntry,
  Brake,
  Channel,
  Checked,
  Delivery,
  Expectation,
  Finding,
  Habits,
  IndexSize,
  Kill,
  Job,
  LastEnd,
  Machine,
  MachineJob,
  OverdueRun,
  Problem,
  Report,
  ReportedJob,
  Run,
  RunEnd,
  RunEvent,
  Session,
  Target,
  TargetTiming,
  Token,
};
const REQUEST_SCHEMAS = {
  AlertChanges,
  KillManyRequest,
  KillRequest,
  NewAlert,
  NewBrake,
  NewExpectation,
  NewToken,
  RotateToken,
};

const DESCRIPTION = `See what runs on every machine, read its output live, and stop it.

Times are RFC 3339 in UTC. To read the next page of a list, pass its \`next_cursor\` as \`cursor\`, until it is null.
Errors are problem details (RFC 9457) with a stable \`code\`; \`request_id\` identifies the call in the control plane's logs.`;

/** @param base the prefix of the paths of `operations` */
export function openApiDocument(atRoot: readonly Operation[], operations: readonly Operation[], base: string): Json {
  const paths: Record<string, Json> = {};
  const add = (path: string, operation: Operation) => {
    paths[path] = { ...paths[path], [operation.method]: describeOperation(operation) };
  };
  for (const operation of atRoot) add(operation.path, operation);
  for (const operation of operations) add(`${base}${operation.path}`, operation);
  return {
    openapi: '3.1.1',
    info: { title: 'Leash', version: '1', description: DESCRIPTION },
    paths,
    components: {
      schemas: {
        ...withDescriptions(toJsonSchemaDefs(RESPONSE_SCHEMAS, { ...CONVERSION, typeMode: 'output' })),
        ...toJsonSchemaDefs(REQUEST_SCHEMAS, { ...CONVERSION, typeMode: 'input' }),
      },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'A token’s secret, as returned by `POST /tokens`.' },
        password: {
          type: 'http',
          scheme: 'basic',
          description: 'A token’s secret as the password, with any user name.',
        },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: '__Host-leash',
          description:
            'A session of the dashboard. Calls that change something also require the dashboard’s own `Origin`.',
        },
      },
    },
  };
}

function withDescriptions(schemas: Json): Json {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => {
      const fields = FIELD_DESCRIPTIONS[name];
      return [name, fields === undefined ? schema : describeFields(schema as { properties: Json }, fields)];
    }),
  );
}

function describeFields(schema: { readonly properties: Json }, fields: Readonly<Record<string, string>>): Json {
  const properties = Object.entries(schema.properties).map(([field, described]) => [
    field,
    { ...(described as Json), description: fields[field] },
  ]);
  return { ...schema, properties: Object.fromEntries(properties) };
}

function describeOperation(operation: Operation): Json {
  return {
    operationId: operation.id,
    summary: operation.summary,
    ...(operation.description !== undefined && { description: operation.description }),
    security: security(operation),
    parameters: [
      ...describeParameters(operation.params, 'path'),
      ...describeParameters(operation.query, 'query'),
      ...Object.entries(operation.headers ?? {}).map(([name, description]) => ({
        name,
        in: 'header',
        description,
        schema: { type: 'string' },
      })),
    ],
    ...(operation.body !== null && {
      requestBody: { content: { 'application/json': { schema: schemaOf(operation.body, 'input') } } },
    }),
    responses: {
      ...Object.fromEntries(
        Object.entries(operation.responses).map(([status, answer]) => [status, describeResponse(answer)]),
      ),
      ...errorResponses(operation),
    },
  };
}

function security({ access, authentication }: Operation): Json[] {
  const either = (scopes: readonly string[]) => waysToAuthenticate(authentication).map((way) => ({ [way]: scopes }));
  switch (access.kind) {
    case 'anyone':
      return [];
    case 'signed_in':
      return either([]);
    case 'scope':
      return access.scopes.flatMap((scope) => either([scope]));
    case 'full_admin':
      return either(['admin']);
  }
}

function waysToAuthenticate(authentication: Operation['authentication']): readonly string[] {
  switch (authentication) {
    case undefined:
      return ['token', 'session'];
    case 'bearer':
      return ['token'];
    case 'basic':
      return ['password'];
  }
}

function describeParameters(schemas: v.ObjectEntries, where: 'path' | 'query'): Json[] {
  return Object.entries(schemas).map(([name, schema]) => {
    const { description, default: fallback, ...described } = schemaOf(schema, 'output');
    return {
      name,
      in: where,
      required: schema.type !== 'optional',
      ...(description !== undefined && { description }),
      // Comma-separated.
      ...(described.type === 'array' && { style: 'form', explode: false }),
      schema: { ...described, ...(typeof fallback === 'string' && { default: typedDefault(fallback, described) }) },
    };
  });
}

/** Query parameters are strings, and so are their defaults: the document has the default in the parameter's type. */
function typedDefault(fallback: string, { type }: Json): string | number {
  return type === 'integer' || type === 'number' ? Number(fallback) : fallback;
}

function describeResponse({ description, content, headers }: OperationResponse): Json {
  return {
    description,
    // The headers of an upgrade can't be extended.
    ...(content.kind !== 'socket' && { headers: describeHeaders({ ...headers, ...COMMON_HEADERS }) }),
    ...(content.kind === 'json' && {
      content: { 'application/json': { schema: schemaOf(content.schema, 'output') } },
    }),
    ...(content.kind === 'text' && { content: { [content.type]: {} } }),
  };
}

const COMMON_HEADERS: Readonly<Record<string, ResponseHeader>> = {
  [REQUEST_ID_HEADER]: { description: 'Identifies this call in the control plane’s logs.', always: true },
};

function describeHeaders(headers: Readonly<Record<string, ResponseHeader>>): Json {
  return Object.fromEntries(
    Object.entries(headers).map(([name, { description, always }]) => [
      name,
      { description: description, required: always, schema: { type: 'string' } },
    ]),
  );
}

/** Errors by status: a status has one description, which lists its codes. */
function errorResponses(operation: Operation): Json {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of new Set([...commonErrors(operation), ...(operation.errors ?? [])])) {
    const status = problemStatus(code);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      {
        description: codes.map((code) => `\`${code}\``).join(', '),
        headers: describeHeaders(COMMON_HEADERS),
        content: { 'application/problem+json': { schema: problemSchema(codes) } },
      },
    ]),
  );
}

function problemSchema(codes: readonly ProblemCode[]): Json {
  return { allOf: [{ $ref: reference('Problem') }, { properties: { code: { enum: codes } } }] };
}

const TOKEN_ERRORS = ['unauthenticated', 'token_expired', 'token_rotated'] as const;

function commonErrors(operation: Operation): ProblemCode[] {
  const isAuthorised = operation.access.kind === 'scope' || operation.access.kind === 'full_admin';
  return [
    // Any call may have an unknown query parameter.
    'bad_request',
    ...(operation.query.cursor === undefined ? [] : (['bad_cursor'] as const)),
    ...(operation.body === null ? [] : (['bad_json', 'unsupported_media_type', 'too_large'] as const)),
    ...(operation.access.kind === 'anyone' ? [] : TOKEN_ERRORS),
    // Wrappers and viewers are exempt: see `rate-limit.ts`.
    ...(operation.access.kind === 'anyone' || isSocket(operation) ? [] : (['rate_limited'] as const)),
    ...(isAuthorised ? (['forbidden'] as const) : []),
    ...(needsOwnOrigin(operation) ? (['wrong_origin'] as const) : []),
    ...(isSocket(operation) ? (['upgrade_required'] as const) : []),
    'internal',
    'unavailable',
  ];
}

const CONVERSION: ConversionConfig = {
  // JSON Schema can't express some checks, such as those across fields.
  errorMode: 'ignore',
  overrideRef: ({ referenceId }) => reference(referenceId),
};

function schemaOf(schema: v.GenericSchema, typeMode: 'input' | 'output'): Json {
  const { $schema, $defs, ...described } = toJsonSchema(schema, {
    ...CONVERSION,
    typeMode,
    definitions: typeMode === 'input' ? REQUEST_SCHEMAS : RESPONSE_SCHEMAS,
  });
  return described;
}

function reference(name: string): string {
  return `#/components/schemas/${name}`;
}

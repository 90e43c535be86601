/** Whether a response conforms to the OpenAPI document. */
import { type Schema, Validator } from '@cfworker/json-schema';

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, DeclaredAnswer>>;
}

interface DeclaredAnswer {
  readonly headers?: Readonly<Record<string, { readonly required: boolean }>>;
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

const PROBLEM: Schema = { $ref: '#/components/schemas/Problem' };

export class Conformance {
  readonly #document: OpenApiDocument;
  readonly #paths: readonly (readonly [pattern: RegExp, path: string])[];
  /** Compiling a validator costs many times more than using it. */
  readonly #validators = new Map<Schema, Validator>();

  constructor(document: OpenApiDocument) {
    this.#document = document;
    this.#paths = Object.keys(document.paths).map((path) => [
      new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
      path,
    ]);
  }

  /** @returns what is wrong with the response, or null. Its body can still be read. */
  async check(request: { method: string; pathname: string }, response: Response): Promise<string | null> {
    const { pathname } = request;
    // HEAD has the response of GET without its body.
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const path = this.#paths.find(([pattern]) => pattern.test(pathname))?.[1];
    const operation = path === undefined ? undefined : this.#document.paths[path]?.[method.toLowerCase()];
    const wrong =
      operation === undefined
        ? await this.#checkNothing(response)
        : await this.#checkAnswer(operation, response, request.method === 'HEAD');
    return wrong === null ? null : `${request.method} ${pathname}, ${response.status}: ${wrong}`;
  }

  /** No route matches, and the response must say that. */
  async #checkNothing(response: Response): Promise<string | null> {
    if (![404, 405].includes(response.status)) return 'not in the document';
    if (mediaType(response.headers.get('Content-Type')) !== 'application/problem+json') return 'not a problem';
    return this.#checkJson(PROBLEM, response);
  }

  async #checkAnswer(operation: Operation, response: Response, isHead: boolean): Promise<string | null> {
    const declared = operation.responses[response.status];
    if (declared === undefined) return `${operation.operationId} has no such status`;
    for (const [name, { required }] of Object.entries(declared.headers ?? {})) {
      if (required && !response.headers.has(name)) return `the header ${name} is missing`;
    }
    const type = mediaType(response.headers.get('Content-Type'));
    const contents = new Map(
      Object.entries(declared.content ?? {}).map(([name, content]) => [mediaType(name), content]),
    );
    if (contents.size === 0) return type === null ? null : `the content is ${type}, and there should be none`;
    const content = contents.get(type);
    if (content === undefined) return `the content is ${type}, not ${[...contents.keys()]}`;
    return content.schema === undefined || isHead ? null : this.#checkJson(content.schema, response);
  }

  async #checkJson(schema: Schema, response: Response): Promise<string | null> {
    const { valid, errors } = this.#validatorFor(schema).validate(await response.clone().json());
    return valid ? null : errors.map(({ instanceLocation, error }) => `${instanceLocation} ${error}`).join('; ');
  }

  #validatorFor(schema: Schema): Validator {
    const known = this.#validators.get(schema);
    if (known !== undefined) return known;
    const validator = new Validator({ ...schema, components: this.#document.components }, '2020-12');
    this.#validators.set(schema, validator);
    return validator;
  }
}

/** Without spaces and in lower case, to compare the document with a response. */
function mediaType(name: string | null): string | null {
  return name === null ? null : name.replaceAll(' ', '').toLowerCase();
}

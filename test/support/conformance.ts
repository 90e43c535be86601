/** Whether an answer is what the OpenAPI document says. */
import { type Schema, Validator } from '@cfworker/json-schema';

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, { content?: Readonly<Record<string, { schema?: Schema }>> }>>;
}

export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: object;
}

export class Conformance {
  readonly #document: OpenApiDocument;
  readonly #paths: readonly (readonly [pattern: RegExp, path: string])[];

  constructor(document: OpenApiDocument) {
    this.#document = document;
    this.#paths = Object.keys(document.paths).map((path) => [
      new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
      path,
    ]);
  }

  /** @returns what is wrong with the answer, or null. It is left to be read by others. */
  async check(request: { method: string; pathname: string }, response: Response): Promise<string | null> {
    const { method, pathname } = request;
    const path = this.#paths.find(([pattern]) => pattern.test(pathname))?.[1];
    const operation = path === undefined ? undefined : this.#document.paths[path]?.[method.toLowerCase()];
    const call = `${method} ${pathname}, ${response.status}`;
    // Nothing is there, and that is what the answer must say.
    if (operation === undefined) return [404, 405].includes(response.status) ? null : `${call}: not in the document`;
    const declared = operation.responses[response.status];
    if (declared === undefined) return `${call}: ${operation.operationId} has no such status`;
    const type = response.headers.get('Content-Type')?.split(';')[0] ?? null;
    const types = Object.keys(declared.content ?? {}).map((name) => name.split(';')[0]);
    if (type === null ? types.length > 0 : !types.includes(type))
      return `${call}: the content is ${type}, not ${types}`;
    const schema = Object.entries(declared.content ?? {}).find(([name]) => name.startsWith(type ?? ''))?.[1].schema;
    if (schema === undefined) return null;
    const whole = { ...schema, components: this.#document.components };
    const { valid, errors } = new Validator(whole, '2020-12').validate(await response.clone().json());
    return valid
      ? null
      : `${call}: ${errors.map(({ instanceLocation, error }) => `${instanceLocation} ${error}`).join('; ')}`;
  }
}

/** A tool, declared once: its name, what it does, who may call it, its input and its handler. */
import type * as v from 'valibot';
import type { Scope } from '#protocol/api';
import type { Api } from './api.ts';

interface Declaration {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Tokens without these scopes are not offered the tool. The API refuses them as well. */
  readonly scopes: readonly Scope[];
  /** Whether it ends something. All others only read. */
  readonly isDestructive: boolean;
}

/** A tool as the server offers it, whatever its input. */
export interface Tool extends Declaration {
  readonly input: v.GenericSchema;
  /** @returns text for the assistant @throws ToolError */
  readonly call: (api: Api, input: unknown) => Promise<string>;
}

export function tool<const Input extends v.GenericSchema>(
  declaration: Declaration & {
    readonly input: Input;
    readonly call: (api: Api, input: v.InferOutput<Input>) => Promise<string>;
  },
): Tool {
  const { call, ...rest } = declaration;
  // The server has parsed the input with this schema.
  return { ...rest, call: (api, input) => call(api, input as v.InferOutput<Input>) };
}

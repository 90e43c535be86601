/** Bodies of responses, which anybody on the way may have written. */
import * as v from 'valibot';

/** @returns null for anything else than JSON of this schema */
export function parseJson<Output>(schema: v.GenericSchema<unknown, Output>, text: string): Output | null {
  try {
    const parsed = v.safeParse(schema, JSON.parse(text));
    return parsed.success ? parsed.output : null;
  } catch {
    // Not JSON: a page of a proxy, say.
    return null;
  }
}

/** Reading a JSON text frame against the messages that one side may send. */
import * as v from 'valibot';
import { MAX_TEXT_FRAME_CHARS } from './limits.ts';

export type TextFrame<Message> =
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'unknown_type'; readonly type: string }
  | { readonly kind: 'malformed'; readonly code: 'bad_frame' | 'frame_too_large'; readonly message: string };

const Envelope = v.object({ type: v.pipe(v.string(), v.maxLength(64)) });

type Schema = v.GenericSchema<unknown, { readonly type: string }>;

/**
 * A reader for the messages that one side may send, given by their `type`.
 *
 * An unknown type isn't malformed: wrapper and control plane may have different versions.
 */
export function textFrameReader<const Schemas extends Record<string, Schema>>(
  schemas: Schemas,
  maxChars = MAX_TEXT_FRAME_CHARS,
) {
  type Message = v.InferOutput<Schemas[keyof Schemas]>;
  const byType = new Map<string, Schema>(Object.entries(schemas));

  return (frame: string): TextFrame<Message> => {
    if (frame.length > maxChars) {
      return {
        kind: 'malformed',
        code: 'frame_too_large',
        message: `a text frame must not exceed ${maxChars} characters`,
      };
    }
    let json: unknown;
    try {
      json = JSON.parse(frame);
    } catch {
      // Only JSON.parse throws here: the text is not JSON.
      return { kind: 'malformed', code: 'bad_frame', message: 'the frame must be JSON' };
    }
    const envelope = v.safeParse(Envelope, json);
    if (!envelope.success) {
      return { kind: 'malformed', code: 'bad_frame', message: 'the frame must be an object with a `type`' };
    }
    const schema = byType.get(envelope.output.type);
    if (schema === undefined) return { kind: 'unknown_type', type: envelope.output.type };
    const parsed = v.safeParse(schema, json);
    if (!parsed.success) {
      return {
        kind: 'malformed',
        code: 'bad_frame',
        message: `${envelope.output.type}: ${describeIssue(parsed.issues[0])}`,
      };
    }
    // The schemas were given by type, so this one's output is one of theirs.
    return { kind: 'message', message: parsed.output as Message };
  };
}

/** One line on what is wrong, with the path to it. */
export function describeIssue(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue);
  const what = describeProblem(issue);
  return path === null ? what : `${path}: ${what}`;
}

function describeProblem({ type, expected, received, message }: v.BaseIssue<unknown>): string {
  const isMissing = received === 'undefined';
  switch (type) {
    case 'object':
    case 'strict_object':
      if (expected === 'never') return 'unknown field';
      return isMissing || expected?.startsWith('"') === true ? 'is required' : message;
    case 'picklist':
      return isMissing
        ? 'is required'
        : `must be one of ${expected?.replace(/^\(|\)$/g, '').replaceAll(' | ', ', ')}, not ${received}`;
    case 'non_empty':
    case 'min_length':
    case 'max_length':
      return message.startsWith('Invalid length') ? describeLength(expected, received) : message;
    default:
      return message;
  }
}

/** @param expected as `>=1` or `<=20` */
function describeLength(expected: string | null, received: string): string {
  if (received === '0') return 'must not be empty';
  const limit = expected?.replace(/^\D+/, '');
  return `must have a length of ${expected?.startsWith('<') === true ? 'at most' : 'at least'} ${limit}, not ${received}`;
}

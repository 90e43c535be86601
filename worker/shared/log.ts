/** Structured logs: one JSON object a line. Never pass it a secret. */
import { showInvisible } from '#protocol/invisible-characters';

type Fields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export const log = {
  info: (event: string, fields: Fields = {}) => console.log(lineOf({ level: 'info', event, ...fields })),
  warn: (event: string, fields: Fields = {}) => console.warn(lineOf({ level: 'warn', event, ...fields })),
  error: (event: string, error: unknown, fields: Fields = {}) =>
    console.error(lineOf({ level: 'error', event, error: describeError(error), ...fields })),
};

/** Names and paths may come from anyone: their invisible characters must not hide or reverse the rest of the line. */
function lineOf(entry: Fields): string {
  return showInvisible(JSON.stringify(entry));
}

function describeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

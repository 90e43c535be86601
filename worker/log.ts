/** Structured logs: one JSON object a line. Never pass it a secret. */
type Fields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export const log = {
  info: (event: string, fields: Fields = {}) => console.log(JSON.stringify({ level: 'info', event, ...fields })),
  warn: (event: string, fields: Fields = {}) => console.warn(JSON.stringify({ level: 'warn', event, ...fields })),
  error: (event: string, error: unknown, fields: Fields = {}) =>
    console.error(JSON.stringify({ level: 'error', event, error: describeError(error), ...fields })),
};

function describeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

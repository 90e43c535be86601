/**
 * Our globs in SQL. Their only wildcard is `*`, as in SQLite's GLOB. D1 refuses patterns of more than 50 bytes, and names may
 * have 128, so a glob without a `*` is compared.
 */

/** The condition that a column matches a glob, with the value to bind. */
export function matching(column: string, glob: string): [condition: string, value: string] {
  return [glob.includes('*') ? `${column} GLOB ?` : `${column} = ?`, glob];
}

/** The condition that a column matches one of the globs in the JSON array to bind. */
export function matchingOneOf(column: string, globs: readonly string[]): [condition: string, value: string] {
  return [`EXISTS (SELECT 1 FROM json_each(?) WHERE ${matchingValue(column, 'value')})`, JSON.stringify(globs)];
}

/** The condition that a column matches a glob that is itself in a column. */
export function matchingValue(column: string, glob: string): string {
  return `iif(instr(${glob}, '*') = 0, ${column} = ${glob}, ${column} GLOB ${glob})`;
}

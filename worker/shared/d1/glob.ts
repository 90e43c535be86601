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
  const matches = `iif(instr(value, '*') = 0, ${column} = value, ${column} GLOB value)`;
  return [`EXISTS (SELECT 1 FROM json_each(?) WHERE ${matches})`, JSON.stringify(globs)];
}

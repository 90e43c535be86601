/** Splits SQL as naively as D1's server may: at each semicolon, whether in a comment, a string or a trigger. */
export function splitNaively(sql: string): string[] {
  return sql
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}

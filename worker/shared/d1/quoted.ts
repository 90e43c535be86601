/** Words of ours as a list of SQL: `'running', 'killing'`. */
export function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(', ');
}

/**
 * Whether a name matches a glob, in which `*` matches any characters and everything else itself.
 *
 * Each literal part is matched at its first position, so the cost grows only with the length of the name.
 */
export function matchesGlob(glob: string, name: string): boolean {
  const [first = '', ...rest] = glob.split('*');
  const last = rest.pop();
  if (last === undefined) return name === glob;
  if (!name.startsWith(first)) return false;
  let position = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, position);
    if (found === -1) return false;
    position = found + part.length;
  }
  return name.length - last.length >= position && name.endsWith(last);
}

/** Whether some name could match both globs. */
export function mayOverlap(one: string, other: string): boolean {
  // From their ends: whether what is left of one from `i` and of the other from `j` could match the same text.
  let below: boolean[] = [];
  for (let i = one.length; i >= 0; i--) {
    const row: boolean[] = [];
    for (let j = other.length; j >= 0; j--) {
      const [left, right] = [one[i], other[j]];
      // A `*` matches nothing, or one more character of the other.
      const byWildcard =
        ((left === '*' || right === '*') && (below[j] ?? false) && left !== undefined) ||
        ((left === '*' || right === '*') && (row[j + 1] ?? false) && right !== undefined);
      const byLetter = left !== undefined && left === right && (below[j + 1] ?? false);
      row[j] = (left === undefined && right === undefined) || byWildcard || byLetter;
    }
    below = row;
  }
  return below[0] ?? false;
}

/** Whether every name that matches a glob also matches another one. */
export function isWithinGlob(inner: string, outer: string): boolean {
  // Taken for a name, its own `*` is a letter that no name has: only a `*` of the other matches it.
  return matchesGlob(outer, inner);
}

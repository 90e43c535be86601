/** A crontab's variables, read as cron's load_env() does: it tries each line as a variable first. */

export interface Variable {
  readonly name: string;
  readonly value: string;
}

/** @returns null when the line is not a variable */
export function readVariable(line: string): Variable | null {
  const left = /^[ \t]*(?:(["'])(.*?)\1\s*|([^\s=]+)\s*)=\s*/s.exec(line);
  if (left === null) return null;
  const name = left[2] ?? left[3] ?? '';
  // In quotes as well: cron takes a name with an equals sign for none.
  if (name.includes('=') || (left[1] === undefined && /^["']/.test(name))) return null;
  const rest = line.slice(left[0].length);
  const quoted = /^(["'])(.*?)\1\s*$/s.exec(rest);
  if (quoted !== null) return { name, value: quoted[2] ?? '' };
  return /^["']/.test(rest) ? null : { name, value: rest.trimEnd() };
}

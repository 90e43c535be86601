/**
 * The flags of a subcommand, and what its arguments are, as its help has them: completions need no second list that could
 * differ from it.
 */

export interface HelpFlag {
  /** With its dashes. */
  readonly name: string;
  /** What the help calls its value; null: it takes none. */
  readonly value: string | null;
  readonly description: string;
}

/** `FILE`, `stdout|stderr`. */
const VALUE = String.raw`(?: (?:[A-Z][\w.]*|[\w.]+(?:\|[\w.]+)+))?`;
/** A line of a list of flags: flags, and what they do unless that is in the next line. */
const FLAG_LINE = new RegExp(String.raw`^ {2}(-[\w-]+${VALUE}(?:, -[\w-]+${VALUE})*)(?: {2,}(.*)| (\S.*))?$`);

export function flagsIn(help: string): HelpFlag[] {
  const lines = help.split('\n');
  return lines.flatMap((line, index) => {
    const match = FLAG_LINE.exec(line);
    if (match === null) return [];
    const [, flags = '', apart, close] = match;
    const description = (apart ?? close ?? lines[index + 1] ?? '').trim();
    const named = flags.split(', ').map((flag) => flag.split(' '));
    // `-s, --since TIME`: the value is that of both.
    const value = named.at(-1)?.[1] ?? null;
    const isSynonym = named.length > 1 && /^-\w$/.test(named[0]?.[0] ?? '');
    return named.map(([name = '', own = null]) => ({ name, value: isSynonym ? value : own, description }));
  });
}

/** What the arguments are called in the lines of its usage, such as `JOB`, `RUN`. */
export function argumentsIn(help: string, name: string): ReadonlySet<string> {
  const usages = help.split('\n').filter((line) => line.startsWith(`  leash ${name}`));
  const words = usages.flatMap(
    (line) =>
      line
        .replace(/ -- .*/, '')
        .replace(/--?[\w-]+[ =][A-Z]+/g, '')
        .match(/[A-Z]{2,}/g) ?? [],
  );
  return new Set(words);
}

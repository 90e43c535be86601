/**
 * cron's `%`: the first one that no backslash precedes ends the command; what follows is the command's stdin, in which `%`
 * means a newline. Crons differ in what they make of `\%` and `\\` (the original one passes both on, cronie turns `\%` into
 * `%`, others turn `\\` into `\` as well), so a command's text is never rewritten: what is put around it must mean the same
 * to all of them.
 */

export interface CommandAndInput {
  readonly command: string;
  /** With its `%`; empty when there is none. */
  readonly input: string;
}

export function splitAtPercent(text: string): CommandAndInput {
  const command = /^(?:\\.|[^\\%])*\\?/s.exec(text)?.[0] ?? '';
  return { command, input: text.slice(command.length) };
}

/**
 * The lines of a crontab with their line endings. Text is held as Latin-1, one character a byte: a crontab is bytes to cron,
 * and none may change.
 */

export interface TextLine {
  readonly text: string;
  /** `\n`, `\r\n`, or nothing at the end of a file without a last newline. */
  readonly ending: string;
}

/** Joined, texts and endings are the input. */
export function splitLines(text: string): readonly TextLine[] {
  return text.match(/[^\n]*\n|[^\n]+$/g)?.map(splitEnding) ?? [];
}

export function joinLines(lines: readonly TextLine[]): string {
  return lines.map(({ text, ending }) => text + ending).join('');
}

function splitEnding(line: string): TextLine {
  const ending = /\r?\n?$/.exec(line)?.[0] ?? '';
  return { text: line.slice(0, line.length - ending.length), ending };
}

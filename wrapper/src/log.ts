/** The wrapper's own log: lines on stderr, told apart from the command's by their prefix. */
import type { Sink } from './output/sink.ts';

export interface Log {
  /** Something the operator must know. Cron mails such lines: nothing that is merely interesting belongs here. */
  tell(line: string): void;
  /** The story, for `--verbose`. */
  note(line: string): void;
}

/** A log into `sink`; `note` is silent unless `verbose`. */
export function logTo(sink: Sink, verbose: boolean): Log {
  // Part of a line may come from elsewhere: no escape sequence gets from there to a terminal.
  const write = (line: string) => sink.write(Buffer.from(`leash: ${line.replace(/\p{Cc}/gu, '?')}\n`));
  return { tell: write, note: verbose ? write : () => {} };
}

/** What to say of a thrown value. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A connection tried over several addresses fails with an AggregateError whose own message is empty.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(describeError).join('; ');
  return error.message;
}

/** The wrapper's own log: lines on stderr, marked by a prefix, and in a file. */
import { showInvisible } from '#protocol/invisible-characters';
import { hasCode } from '../host/error-code.ts';
import { shown } from '../host/undecodable-bytes.ts';
import { type Level, LogFile } from './log-file.ts';

export interface Log {
  /** Something that the operator must know. Cron mails such lines. */
  warn(line: string): void;
  /** What happens, for `--verbose` and the log file. */
  info(line: string): void;
}

/** A log that also goes to a file. */
export interface OpenLog extends Log {
  /** Resolves when the file has every line, or won't have it soon. Never rejects. What `sink` still holds is not waited for. */
  drained(): Promise<void>;
}

export interface LogOptions {
  /** Where `warn` goes, and `info` with `verbose`. */
  readonly sink: { write(line: Uint8Array): void };
  readonly verbose: boolean;
  /** Where all of it goes, appended; null for no file. */
  readonly file: string | null;
  /** Job and run id, for a file that several runs share. */
  readonly label: string;
  /** Takes secrets out of a line. */
  readonly redact?: (line: string) => string;
}

/**
 * Opens the wrapper's log. A line of the file reads `2026-01-31T12:00:00.000Z notice [backup 01J…] killed by alice`.
 *
 * A file that can't be written is reported once, and has no other effect.
 */
export function openLog({ sink, verbose, file, label, redact = (line) => line }: LogOptions): OpenLog {
  const show = (line: string) => sink.write(Buffer.from(ownLine(line)));
  const logFile = file === null ? null : new LogFile(file, printable(label), (error) => show(cannotWrite(file, error)));
  const keep = (level: Level, line: string) => logFile?.append(level, line);
  return {
    warn(line) {
      const clean = printable(redact(line));
      show(clean);
      keep('notice', clean);
    },
    info(line) {
      if (!verbose && logFile === null) return;
      const clean = printable(redact(line));
      if (verbose) show(clean);
      keep('info', clean);
    },
    drained: async () => logFile?.drained(),
  };
}

/** The message of a thrown value. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A connection tried over several addresses fails with an AggregateError whose own message is empty.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(describeError).join('; ');
  return error.message;
}

/**
 * Makes a line safe that may hold text from elsewhere: escape sequences, line breaks and invisible characters are shown as
 * text.
 */
export function printable(line: string): string {
  return showInvisible(shown(line));
}

/** A line as it is printed on stderr. */
export function ownLine(line: string): string {
  return `leash: ${printable(line)}\n`;
}

function cannotWrite(file: string, error: unknown): string {
  const isMissing = hasCode(error, 'ENOENT');
  const why = isMissing ? 'its directory does not exist; create it' : describeError(error);
  return `the log file ${file} can't be written; the run continues without it: ${why}`;
}

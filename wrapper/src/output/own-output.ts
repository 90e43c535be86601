/** Our own stdout and stderr, for the command's output and our own lines. */
import type { StreamName } from '#protocol/output-frame';
import type { LocalSignals } from '../host/local-signals.ts';
import type { Log } from '../logging/log.ts';
import { nowhere, openWriter } from './descriptor.ts';
import { Sink } from './sink.ts';

/** How long a reader that has stopped reading delays the end of a run that was ended. */
const LAST_WRITE_MS = 2_000;

export interface OwnOutput {
  /** For the command's output: ours, or nowhere. */
  readonly sinks: Readonly<Record<StreamName, Sink>>;
  /** For our own lines: always our stderr. */
  readonly lines: LineWriter;
}

export interface LineWriter {
  write(line: Uint8Array): void;
  /** Resolves when all of them are written, or never will be. Never rejects. */
  drained(): Promise<void>;
}

/** @param quiet whether the command's output is discarded */
export function openOwnOutput(quiet: boolean): OwnOutput {
  const stderr = new Sink(openWriter(2));
  const lines = { write: (line: Uint8Array) => stderr.writeAside(line), drained: () => stderr.drained() };
  if (quiet) return { sinks: { stdout: new Sink(nowhere), stderr: new Sink(nowhere) }, lines };
  return { sinks: { stdout: new Sink(openWriter(1)), stderr }, lines };
}

/** How long the end of a run waits to learn whether its output could be written. */
const LAST_LOOK_MS = 1_000;

/**
 * Whether a part of the command's stdout could not be forwarded, for instance because a disk was full. (A reader that is
 * gone doesn't count: the command has had its SIGPIPE.)
 *
 * @returns why, or null
 */
export async function forwardingFailure({ sinks }: OwnOutput): Promise<string | null> {
  const soon = new Promise<void>((resolve) => setTimeout(resolve, LAST_LOOK_MS).unref());
  await Promise.race([sinks.stdout.drained(), soon]);
  return sinks.stdout.failure;
}

/**
 * Waits until our own output is written. When a command exited by itself everything is forwarded, however long its reader
 * takes, as in a plain pipe; when it was ended, and after a signal to us, only what is taken at once. The same goes for our
 * own lines: a command that has printed nothing would not have waited for a reader.
 */
export async function forwardRemaining(
  { sinks, lines }: OwnOutput,
  wasEnded: boolean,
  signals: LocalSignals,
  log: Log,
): Promise<void> {
  const forwarded = Promise.all([sinks.stdout.forwarded(), sinks.stderr.forwarded()]);
  const written = forwarded.then(() => Promise.race([lines.drained(), inLastWrite()]));
  const noLonger = new Promise<void>((resolve) => {
    signals.onTerminate(() => resolve());
    if (wasEnded) void inLastWrite().then(resolve);
  });
  await Promise.race([written, noLonger]);
  const { queued } = sinks.stdout;
  if (queued > 0) log.warn(`${queued} bytes of the command's stdout were not passed on: its reader had stopped`);
}

function inLastWrite(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LAST_WRITE_MS));
}

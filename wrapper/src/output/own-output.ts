/** Our own stdout and stderr: where the command's output is passed on to, and our own lines go. */
import type { StreamName } from '#protocol/output-frame';
import type { LocalSignals } from '../host/local-signals.ts';
import type { Log } from '../logging/log.ts';
import { nowhere, openWriter } from './descriptor.ts';
import { Sink } from './sink.ts';

/** How long a reader who has stopped reading holds up a run that was to be ended. */
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

/** @param quiet whether the command's output is not passed on */
export function openOwnOutput(quiet: boolean): OwnOutput {
  const stderr = new Sink(openWriter(2));
  const lines = { write: (line: Uint8Array) => stderr.writeAside(line), drained: () => stderr.drained() };
  if (quiet) return { sinks: { stdout: new Sink(nowhere), stderr: new Sink(nowhere) }, lines };
  return { sinks: { stdout: new Sink(openWriter(1)), stderr }, lines };
}

/** How long the end of a run waits to know whether its output could be written. */
const LAST_LOOK_MS = 1_000;

/**
 * Whether something of the command's stdout is missing where it was passed on to, on a full disk for instance. (A reader
 * that is gone is no such damage: the command has had its SIGPIPE.)
 *
 * @returns why, or null
 */
export async function forwardingFailure({ sinks }: OwnOutput): Promise<string | null> {
  const soon = new Promise<void>((resolve) => setTimeout(resolve, LAST_LOOK_MS).unref());
  await Promise.race([sinks.stdout.drained(), soon]);
  return sinks.stdout.failure;
}

/**
 * Waits until our own output is written. Of a command that ended by itself everything is passed on, however long its
 * reader takes, as in a plain pipe; of one that was to end now, and after a signal to us, only what is taken at once. So
 * too our own lines: a command that has printed nothing would not have waited for anybody.
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
    signals.onTerminate(resolve);
    if (wasEnded) void inLastWrite().then(resolve);
  });
  await Promise.race([written, noLonger]);
  const { queued } = sinks.stdout;
  if (queued > 0) log.warn(`${queued} bytes of the command's stdout were not passed on: nobody read them`);
}

function inLastWrite(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LAST_WRITE_MS));
}

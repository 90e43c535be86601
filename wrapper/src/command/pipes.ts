/** Reading a command's stdout and stderr, and passing them on. */
import type { Readable } from 'node:stream';
import type { StreamName } from '#protocol/output-frame';
import type { Log } from '../log.ts';
import { describeError } from '../log.ts';
import type { Sink } from '../output/sink.ts';

/** How long something that the command left behind may hold a pipe open after the command's exit. */
export const LINGER_MS = 2_000;

export interface Pipes {
  /** Resolves when all output has been read, or LINGER_MS after the call: call it once the command has exited. */
  finished(): Promise<void>;
}

/**
 * Reads both streams to their end. `onOutput` gets every byte; the sinks are handed the same.
 *
 * Reading pauses while our own reader is behind, and ends when it is gone: the command waits, or gets its SIGPIPE, as
 * without us.
 */
export function readPipes(
  streams: Readonly<Record<StreamName, Readable>>,
  sinks: Readonly<Record<StreamName, Sink>>,
  onOutput: (stream: StreamName, bytes: Uint8Array) => void,
  log: Log,
): Pipes {
  const pumps = (['stdout', 'stderr'] as const).map((name) => pump(name, streams[name], sinks[name], onOutput, log));
  return {
    finished: async () => {
      for (const each of pumps) each.stopPausing();
      let timer: NodeJS.Timeout | undefined;
      const waited = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, LINGER_MS);
      });
      await Promise.race([Promise.all(pumps.map((each) => each.ended)), waited]);
      clearTimeout(timer);
      for (const name of ['stdout', 'stderr'] as const) streams[name].destroy();
    },
  };
}

interface Pump {
  readonly ended: Promise<void>;
  /** What is left after the exit is little: it is taken whatever our reader does. */
  stopPausing(): void;
}

function pump(
  name: StreamName,
  stream: Readable,
  sink: Sink,
  onOutput: (stream: StreamName, bytes: Uint8Array) => void,
  log: Log,
): Pump {
  let mayPause = true;
  sink.listen({
    relieved: () => stream.resume(),
    broken: ({ readerGone, why }) => {
      const line = `the command's ${name} is no longer passed on: ${why}`;
      if (readerGone) {
        log.note(line);
        stream.destroy();
      } else {
        log.tell(line);
      }
    },
  });
  stream.on('data', (bytes: Buffer) => {
    onOutput(name, bytes);
    sink.write(bytes);
    if (mayPause && sink.congested) stream.pause();
  });
  const ended = new Promise<void>((resolve) => {
    stream.once('close', resolve);
    stream.once('end', resolve);
    stream.on('error', (error) => {
      log.note(`reading the command's ${name} failed: ${describeError(error)}`);
      resolve();
    });
  });
  return {
    ended,
    stopPausing: () => {
      mayPause = false;
      stream.resume();
    },
  };
}

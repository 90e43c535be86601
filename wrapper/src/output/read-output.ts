/** Reads a command's stdout and stderr, and forwards them. */
import { performance } from 'node:perf_hooks';
import type { StreamName } from '#protocol/output-frame';
import { LINGER_MS } from '../kill/decide.ts';
import type { Log } from '../logging/log.ts';
import type { Backpressure } from './backpressure.ts';
import type { CommandOutput, OutputPipe } from './output-pipe.ts';
import type { Sink } from './sink.ts';

/**
 * How much is read after the exit however far behind our own reader is: as much as a pipe can hold. More than that comes
 * from a process that is left running, and waits as before.
 */
const REST_BYTES = 1024 * 1024;

export interface OutputReader {
  /**
   * Call it once the command has exited. Resolves when all output has been read, or after LINGER_MS, with the streams that
   * a process still holds open. Those are read until `close`.
   */
  finished(): Promise<readonly StreamName[]>;
  /** Whether something may still print. */
  isOpen(): boolean;
  /** Reads what is in the pipes, however far behind our own reader is. `finished` waits LINGER_MS from then. */
  drain(): void;
  /** Resolves when both have ended. Never rejects. */
  readonly ended: Promise<void>;
  /** Closes the pipes: a process that still writes gets SIGPIPE. */
  close(): void;
}

export interface OutputEvents {
  /** `bytes` are valid only during the call. */
  output(stream: StreamName, bytes: Uint8Array): void;
  /** The command no longer waits for our own reader. */
  resumed(): void;
}

/**
 * Reads both streams to their end. `events` and the sinks get every byte. Merged output counts as stdout.
 *
 * Reading pauses while our own reader is behind, and ends when it is gone: the command waits, or gets its SIGPIPE, as
 * without us. It also pauses while there is `backpressure`.
 */
export function readOutput(
  output: CommandOutput,
  sinks: Readonly<Record<StreamName, Sink>>,
  events: OutputEvents,
  log: Log,
  backpressure: Backpressure | null = null,
): OutputReader {
  const pumps = [new Pump('stdout', output.stdout, sinks.stdout, events, log, backpressure)];
  if (output.stderr !== null) pumps.push(new Pump('stderr', output.stderr, sinks.stderr, events, log, backpressure));
  if (backpressure !== null) {
    backpressure.onRelease = () => {
      for (const pump of pumps) pump.resumeUnlessHeldUp();
    };
  }
  let drainedAt: number | null = null;
  const drain = () => {
    drainedAt = performance.now();
    for (const pump of pumps) pump.readRemaining();
  };
  const ended = Promise.all(pumps.map((pump) => pump.pipe.ended)).then(() => {});
  return {
    finished: async () => {
      const since = drainedAt ?? performance.now();
      drain();
      const waitedMs = performance.now() - since;
      let timer: NodeJS.Timeout | undefined;
      const waited = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, Math.max(0, LINGER_MS - waitedMs));
      });
      await Promise.race([ended, waited]);
      clearTimeout(timer);
      return pumps.filter((pump) => !pump.hasEnded).map((pump) => pump.name);
    },
    isOpen: () => pumps.some((pump) => !pump.hasEnded),
    drain,
    ended,
    close: () => {
      for (const { pipe } of pumps) pipe.close();
    },
  };
}

/** One stream on its way from the command to our own reader. */
class Pump {
  readonly name: StreamName;
  readonly pipe: OutputPipe;
  hasEnded = false;
  readonly #sink: Sink;
  readonly #events: OutputEvents;
  readonly #backpressure: Backpressure | null;
  /** Bytes that are read even though the sink is backed up. */
  #allowance = 0;

  constructor(
    name: StreamName,
    pipe: OutputPipe,
    sink: Sink,
    events: OutputEvents,
    log: Log,
    backpressure: Backpressure | null,
  ) {
    this.name = name;
    this.pipe = pipe;
    this.#sink = sink;
    this.#events = events;
    this.#backpressure = backpressure;
    sink.listen({
      drained: () => {
        events.resumed();
        this.resumeUnlessHeldUp();
      },
      broken: ({ readerGone, why }) => {
        const line = `the command's ${name} is no longer passed on: ${why}`;
        if (readerGone) {
          log.info(line);
          pipe.close();
        } else {
          log.warn(line);
        }
      },
    });
    pipe.ended.then(() => {
      this.hasEnded = true;
    });
    pipe.read((bytes) => this.#forward(bytes));
  }

  readRemaining(): void {
    this.#allowance = REST_BYTES;
    this.pipe.resume();
  }

  /** Resumes reading, unless something else holds it up. */
  resumeUnlessHeldUp(): void {
    if (!this.#isHeldUp()) this.pipe.resume();
  }

  #forward(bytes: Uint8Array): void {
    this.#events.output(this.name, bytes);
    this.#sink.write(bytes);
    this.#allowance -= Math.min(this.#allowance, bytes.length);
    if (this.#isHeldUp()) this.pipe.pause();
  }

  #isHeldUp(): boolean {
    return this.#allowance === 0 && (this.#sink.isBackedUp || this.#backpressure?.isActive() === true);
  }
}

/** What is done for the command when the wrapper itself has failed: the least that can go wrong. */
import { performance } from 'node:perf_hooks';
import { EXIT_ERRORED, EXIT_TIMED_OUT, rawExitCode } from '#protocol/run-state';
import { Alarm } from '../clock/alarm.ts';
import type { OutputPipe } from '../command/output-pipe.ts';
import { LINGER_MS } from '../command/read-output.ts';
import { describeError } from '../log.ts';
import type { Sink } from '../output/sink.ts';
import type { LocalSignals } from './local-signals.ts';
import type { Birth } from './parts.ts';

/**
 * Waits for the command and passes its output, local signals, its time limit and its exit code on.
 *
 * @param error what went wrong
 * @returns the exit code to leave with
 */
export async function standBy(error: unknown, birth: Birth, signals: LocalSignals): Promise<number> {
  const { args, own, log, started } = birth;
  log.tell(`the wrapper failed: ${describeError(error)}; the command runs on, and nobody can see or stop this run`);
  if (started.kind === 'not_started') return EXIT_ERRORED;
  // What had been put together before may fail later, too.
  process.on('uncaughtException', (another) => log.note(`the wrapper failed again: ${describeError(another)}`));
  const signalGroup = (signal: NodeJS.Signals) => {
    try {
      process.kill(-started.pid, signal);
    } catch {
      // ESRCH: nobody is left. EPERM: none of those left may be signalled.
    }
  };
  signals.handle((local) => signalGroup(local.kind === 'stop' ? 'SIGSTOP' : local.signal));
  const ended = Promise.all([
    passOn(started.output.stdout, own.sinks.stdout),
    started.output.stderr === null ? null : passOn(started.output.stderr, own.sinks.stderr),
  ]);
  let timedOut = false;
  const now = () => performance.now();
  const hardEnd = new Alarm(now, () => signalGroup('SIGKILL'));
  const limit = new Alarm(now, () => {
    timedOut = true;
    signalGroup(args.signal);
    hardEnd.set(now() + args.graceMs);
  });
  limit.set(args.timeoutMs === null ? null : now() + args.timeoutMs);
  const exit = await started.exited;
  limit.clear();
  hardEnd.clear();
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, LINGER_MS))]);
  return timedOut ? EXIT_TIMED_OUT : rawExitCode(exit);
}

/** Whoever read it before may be what has failed. Resolves when all of it has been read. */
function passOn(pipe: OutputPipe, sink: Sink): Promise<void> {
  sink.listen({ relieved: () => pipe.resume(), broken: () => pipe.close() });
  pipe.read((bytes) => {
    sink.write(bytes);
    if (sink.congested) pipe.pause();
  });
  pipe.resume();
  return pipe.ended;
}

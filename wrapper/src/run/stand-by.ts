/** What is done for the command when the wrapper itself has failed: the least that can go wrong. */
import { performance } from 'node:perf_hooks';
import type { StreamName } from '#protocol/output-frame';
import { EXIT_ERRORED, EXIT_TIMED_OUT, rawExitCode } from '#protocol/run-state';
import type { RunArgs } from '../cli/run-args.ts';
import { Alarm } from '../clock/alarm.ts';
import { processGroup } from '../command/process-group.ts';
import type { Started } from '../command/spawn.ts';
import { describeError, type Log } from '../log.ts';
import type { Sink } from '../output/sink.ts';
import type { LocalSignal } from './local-signals.ts';

/**
 * Waits for the command and passes its output, local signals, its time limit and its exit code on.
 *
 * @param error what went wrong
 * @param onLocalSignal sets what is done with local signals from now on
 * @returns the exit code to leave with
 */
export async function standBy(
  error: unknown,
  started: Started,
  { timeoutMs, graceMs }: RunArgs,
  sinks: Readonly<Record<StreamName, Sink>>,
  log: Log,
  onLocalSignal: (handle: (signal: LocalSignal) => void) => void,
): Promise<number> {
  log.tell(`the wrapper failed: ${describeError(error)}; the command runs on, and nobody can see or stop this run`);
  if (started.kind === 'not_started') return EXIT_ERRORED;
  const group = processGroup(started.pid);
  onLocalSignal((local) => group.signal(local.kind === 'stop' ? 'SIGSTOP' : local.signal));
  for (const name of ['stdout', 'stderr'] as const) {
    // Whoever read it before may be what has failed.
    started.streams[name].removeAllListeners('data');
    started.streams[name].on('data', (bytes: Buffer) => sinks[name].write(bytes));
    started.streams[name].resume();
  }
  let timedOut = false;
  const now = () => performance.now();
  const hardEnd = new Alarm(now, () => group.signal('SIGKILL'));
  const limit = new Alarm(now, () => {
    timedOut = true;
    group.signal('SIGTERM');
    hardEnd.set(now() + graceMs);
  });
  limit.set(timeoutMs === null ? null : now() + timeoutMs);
  const exit = await started.exited;
  return timedOut ? EXIT_TIMED_OUT : rawExitCode(exit);
}

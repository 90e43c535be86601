/** Supervises the command when the wrapper itself has failed, with as little code as possible. */
import { type RawExit, reportedEnd } from '#protocol/run-state';
import { LongTimer } from '../clock/long-timer.ts';
import type { LocalSignals } from '../host/local-signals.ts';
import { LINGER_MS } from '../kill/decide.ts';
import { Terminator } from '../kill/terminator.ts';
import { describeError } from '../logging/log.ts';
import type { OutputPipe } from '../output/output-pipe.ts';
import type { Sink } from '../output/sink.ts';
import { groupTree } from '../processes/group-tree.ts';
import { endByLimit, endReason, handleLocalSignal } from './end-command.ts';
import type { LaunchedRun } from './run-context.ts';
import { withheldEnd } from './withheld.ts';

/**
 * Waits for the command: forwards its output and local signals, applies its time limit, and returns its exit code.
 *
 * @param error what went wrong
 * @returns the exit code to leave with
 */
export async function superviseWithLeast(
  error: unknown,
  launched: LaunchedRun,
  signals: LocalSignals,
): Promise<number> {
  const { options, own, log, started } = launched;
  log.warn(`the wrapper failed: ${describeError(error)}; the command keeps running, but can't be seen or stopped`);
  if (started.kind === 'not_started') return reportedEnd('start_failed', null).exitCode;
  if (started.kind === 'withheld') return withheldEnd(started).exitCode;
  // What was created before the failure may fail later, too.
  process.on('uncaughtException', (another) => log.info(`the wrapper failed again: ${describeError(another)}`));
  const age = () => Math.round(launched.age());
  const tree = groupTree(started.pid, null, started.exited);
  const terminator = new Terminator(tree, age, () => {}, log);
  const ending = { options, tree, terminator, started, log };
  signals.setHandler((local) => handleLocalSignal(ending, local));
  const limit = new LongTimer(age, () => endByLimit(ending, 'timeout'));
  limit.set(options.timeoutMs);
  const output = Promise.all([
    passOn(started.output.stdout, own.sinks.stdout),
    started.output.stderr === null ? null : passOn(started.output.stderr, own.sinks.stderr),
  ]);

  let raw: RawExit | null = null;
  const exited = started.exited.then((exit) => {
    raw = exit;
    terminator.leaderExited();
  });
  await Promise.race([exited, terminator.sigkillPhaseOver()]);
  limit.clear();
  await terminator.over();
  await Promise.race([output, new Promise((resolve) => setTimeout(resolve, LINGER_MS))]);
  return reportedEnd(endReason(ending, raw), raw).exitCode;
}

/** Reads the pipe, whatever read it before: that may have failed. Resolves when all of it has been read. */
function passOn(pipe: OutputPipe, sink: Sink): Promise<void> {
  sink.listen({ drained: () => pipe.resume(), broken: () => pipe.close() });
  pipe.read((bytes) => {
    sink.write(bytes);
    if (sink.isBackedUp) pipe.pause();
  });
  pipe.resume();
  return pipe.ended;
}

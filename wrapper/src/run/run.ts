/** `leash run`: one command, from its start until its end is reported, or kept to be reported later. */
import { LocalSignals } from '../host/local-signals.ts';
import { keepMemorySmall } from '../host/v8-flags.ts';
import { extractLaunchState, type LaunchState } from '../launch/launch-state.ts';
import { prepareOutput } from '../launch/start-command.ts';
import { forwardRemaining } from '../output/own-output.ts';
import { type Detachment, startInBackground } from './detach.ts';
import { superviseWithLeast } from './fallback-supervisor.ts';
import { newRunId } from './identity.ts';
import { hideTokenAndReportProblems, launchCommand, prepareRun } from './launch.ts';
import { createRunContext, type LaunchedRun } from './run-context.ts';
import type { RunOptions } from './run-options.ts';
import { superviseRun } from './supervise.ts';

/**
 * Runs the command and supervises it.
 *
 * @param detachment what the `leash run --detach` that started this process has handed over; null in the foreground
 * @returns the exit code; everything else has been done by then
 */
export async function run(options: RunOptions, detachment: Detachment | null, version: string): Promise<number> {
  const launch = { ...extractLaunchState(process.env), ...detachment };
  if (options.detach && detachment === null) return startInBackground(options, launch);
  const signals = new LocalSignals(launch.ignoredSignals);
  if (options.splayMs !== null) {
    const { delayStart } = await import('./splay.ts');
    const delayed = await delayStart(options, options.splayMs, signals);
    if (delayed.kind === 'ended') return delayed.exitCode;
    return runNow(delayed.options, detachment, version, launch, signals);
  }
  return runNow(options, detachment, version, launch, signals);
}

async function runNow(
  options: RunOptions,
  detachment: Detachment | null,
  version: string,
  launch: LaunchState,
  signals: LocalSignals,
): Promise<number> {
  const launched = await startOrAsk(options, version, detachment?.run ?? newRunId(), launch, signals);
  keepMemorySmall();
  const { own, log } = launched;

  let exitCode: number;
  let wasEnded = false;
  try {
    const context = createRunContext(launched);
    const end = await superviseRun(context, signals);
    exitCode = end.exitCode;
    wasEnded = end.reason !== 'exited';
    context.guardian?.dismiss();
    context.journal?.remove();
  } catch (error) {
    exitCode = await superviseWithLeast(error, launched, signals);
  }
  await forwardRemaining(own, wasEnded, signals, log);
  await log.drained();
  return exitCode;
}

async function startOrAsk(
  options: RunOptions,
  version: string,
  run: string,
  launch: LaunchState,
  signals: LocalSignals,
): Promise<LaunchedRun> {
  if (options.ask === null) {
    const pipes = prepareOutput(options.merge);
    const prepared = prepareRun(options, version, run, launch);
    const launched = await launchCommand(prepared, pipes);
    await hideTokenAndReportProblems(prepared);
    return launched;
  }
  const prepared = prepareRun(options, version, run, launch);
  // Before the question, which names the command line.
  await hideTokenAndReportProblems(prepared);
  const { admit } = await import('./admit.ts');
  return admit(prepared, options.ask, signals);
}

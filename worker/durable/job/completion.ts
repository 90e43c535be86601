/** The end of a run, as its wrapper reports it. */
import type { NewRunEvent } from '#protocol/api';
import type { Complete, LeftRunning } from '#protocol/wrapper-link';
import { log } from '../../shared/log.ts';
import type { JobContext } from './job-context.ts';
import type { RunRecord } from './run-store.ts';
import { changeRun } from './run-transitions.ts';

/** What of a completion is the run's end. */
type End = Omit<Complete, 'type' | 'applied_kills' | 'related'>;

/**
 * Ends a run, unless its end is final already.
 *
 * @param staysConnected whether its wrapper stays for the processes that it has left running
 */
export function completeRun(
  job: JobContext,
  run: RunRecord,
  end: End,
  { staysConnected }: { readonly staysConnected: boolean },
): void {
  const status = changeRun(run, { kind: 'ended', reason: end.reason, exitCode: end.exit_code });
  if (status === null) return;
  const leftRunning = end.left_running ?? [];
  const endedLeftovers = end.ended_leftovers ?? [];
  const endedAt = Math.min(Date.now(), run.startedAt + end.duration_ms);
  const slowSince = job.slowRuns.slowSinceAtEnd(run, endedAt);
  const isSlow = slowSince !== null && run.slowSince === null;
  const ended = job.runUpdater.update(
    run,
    {
      ...status,
      leftRunning,
      slowSince,
      usage: end.usage ?? null,
      connected: leftRunning.length > 0 && staysConnected,
      disconnectedSince: null,
      suspectedSince: null,
      exitCode: end.exit_code,
      commandExitCode: end.command_exit_code,
      signal: end.signal,
      reason: end.reason,
      endedAt,
      finalOffset: Math.max(end.final_offset, run.outputEnd),
    },
    ...(isSlow
      ? [{ type: 'slow' as const, at: new Date(endedAt).toISOString(), after_ms: slowSince - run.startedAt }]
      : []),
    ...(endedLeftovers.length > 0
      ? [{ type: 'leftovers_ended' as const, at: new Date(endedAt).toISOString(), processes: [...endedLeftovers] }]
      : []),
    {
      type: 'ended',
      at: new Date(endedAt).toISOString(),
      state: status.state,
      exit_code: end.exit_code,
      reason: end.reason,
      duration_ms: end.duration_ms,
    },
    ...(leftRunning.length > 0 ? [leftRunningEvent(leftRunning)] : []),
  );
  log.info('run_ended', { job: job.name, run: run.id, state: ended.state, exit_code: ended.exitCode });
  job.killController.runEnded(ended);
  job.admission.left(ended);
}

export function leftRunningEvent(processes: LeftRunning['processes']): NewRunEvent {
  return { type: 'left_running', at: new Date().toISOString(), processes: [...processes] };
}

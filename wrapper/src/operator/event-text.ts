/** The events of a run in words. */

import * as v from 'valibot';
import type { BlockingRun } from '#protocol/admission';
import { RunEvent } from '#protocol/api';
import { formatBytes } from '#shared/format-bytes';
import { formatDuration } from '#shared/format-duration';
import { describeStep } from '../format/run-end.ts';

/** What every event has, also one of a kind that this version doesn't know. */
const AnyEvent = v.object({ at: v.string(), type: v.string() });
export type AnyEvent = v.InferOutput<typeof AnyEvent>;

/** For `ApiClient.list`: a newer control plane may have more kinds of events. */
export const EventOrUnknown = v.union([RunEvent, AnyEvent]);

/** What happened, in words, without the time. */
export function eventText(event: v.InferOutput<typeof EventOrUnknown>): string {
  const known = v.safeParse(RunEvent, event);
  return known.success ? describe(known.output) : event.type.replaceAll('_', ' ');
}

function describe(event: RunEvent): string {
  switch (event.type) {
    case 'started':
      return `started on ${event.machine}${event.pid === null ? '' : `, pid ${event.pid}`}`;
    case 'connected':
      return 'connected';
    case 'disconnected':
      return event.cause === 'closed' ? 'disconnected' : 'disconnected: the control plane restarted';
    case 'suspected':
      return `silent for ${formatDuration(event.silent_ms)}: probed`;
    case 'answered':
      return 'answered the probe';
    case 'lost':
      return `declared lost after ${formatDuration(event.silent_ms)} of silence`;
    case 'returned':
      return 'returned after it had been lost';
    case 'adopted':
      return `wrapper killed; taken over by successor ${event.successor}`;
    case 'kill_requested':
      return requestText(event);
    case 'kill_sent':
      return `kill ${event.kill} sent`;
    case 'kill_delivered':
      return `kill ${event.kill} acknowledged by the wrapper`;
    case 'kill_progress':
      return describeStep(event);
    case 'output_gap':
      return `${formatBytes(event.to - event.from)} of output dropped on the machine, from offset ${event.from}`;
    case 'output_trimmed':
      return `output from offset ${event.from} on is being trimmed: it exceeds the limit of the ${event.limit}`;
    case 'left_running':
      return event.processes.length === 0 ? 'nothing is left running' : `left running: ${namesOf(event.processes)}`;
    case 'leftovers_ended':
      return `left running by the command, and ended: ${namesOf(event.processes)}`;
    case 'run_conflict':
      return `job ${event.job} has reported a run with the same id`;
    case 'asked':
      return `asked whether it may start (--overlap ${event.overlap}, scope ${event.scope})`;
    case 'blocked':
      return `waits for ${runsText(event.blocked_by)}`;
    case 'admitted':
      return `allowed to start, fence ${event.fence}`;
    case 'skipped':
      return `refused to start: ${event.detail ?? event.reason}${blockersText(event.blocked_by)}`;
    case 'overlapped':
      return `runs beside ${runsText(event.runs)}`;
    case 'slow':
      return `takes longer than ${formatDuration(event.after_ms)}`;
    case 'ended':
      return `${event.state} after ${formatDuration(event.duration_ms)}: exit code ${event.exit_code} (${event.reason})`;
  }
}

function runsText(runs: readonly BlockingRun[]): string {
  return runs.map(({ run, machine }) => `run ${run} on ${machine}`).join(', ');
}

function blockersText(runs: readonly BlockingRun[]): string {
  return runs.length === 0 ? '' : ` (${runsText(runs)})`;
}

function requestText({
  kill,
  requested_by,
  reason,
  signal,
  grace_ms,
  include,
}: Extract<RunEvent, { type: 'kill_requested' }>): string {
  const how = grace_ms === 0 || signal === 'SIGKILL' ? signal : `${signal}, SIGKILL after ${formatDuration(grace_ms)}`;
  const also = include === null ? '' : ', with related processes';
  return `kill ${kill} requested by ${requested_by} (${how}${also})${reason === null ? '' : `: ${reason}`}`;
}

function namesOf(processes: Extract<RunEvent, { type: 'left_running' }>['processes']): string {
  return processes.map(({ pid, command_line }) => `${pid} ${command_line}`.trimEnd()).join(', ');
}

/** What a report has found, in words: for the dashboard and the terminal. Pure. */
import type { OverdueRun } from '#protocol/expectations';
import type { Finding, FindingKind } from '#protocol/report';
import type { EndReason } from '#protocol/run-state';
import { formatDuration } from './format-duration.ts';

export const KIND_LABELS: Readonly<Record<FindingKind, string>> = {
  failed: 'failed',
  errored: 'errored',
  timed_out: 'timed out',
  lost: 'lost',
  survivors: 'survived a kill',
  missed: 'missed',
  late: 'late',
  slow: 'slow',
  leftovers: 'left running',
  skipped: 'skipped',
  killed: 'killed',
};

const SKIP_TEXTS: Partial<Record<EndReason, string>> = {
  overlap: 'another run was in its way',
  brake: 'a brake was on',
  maintenance: 'maintenance',
  unreachable: 'the control plane could not be asked',
};

const FAILURE_TEXTS: Partial<Record<EndReason, string>> = {
  memory_limit: 'memory limit',
  cpu_limit: 'CPU time limit',
  idle_timeout: 'idle timeout',
  offline_limit: 'offline for longer than allowed',
  wrapper_died: 'its wrapper died',
  exit_unknown: 'result unknown',
  start_failed: 'could not be started',
  wrapper_failed: 'its wrapper failed',
};

/** What there is to know of it in a few words: of the most telling run, if it is about several. */
export function detailText(finding: Finding, nowMs: number): string {
  const { kind, run } = finding;
  switch (kind) {
    case 'failed':
    case 'errored':
    case 'timed_out':
    case 'lost':
      return endText(finding);
    case 'survivors':
      return 'a kill could not end all of its processes';
    case 'missed':
    case 'late':
      return '';
    case 'slow':
      return slowText(finding, nowMs);
    case 'leftovers': {
      const left = run?.left_running.filter(({ relation }) => relation === undefined) ?? [];
      const [first] = left;
      if (first === undefined) return '';
      return left.length === 1 ? first.command_line : `${left.length} processes, such as ${first.command_line}`;
    }
    case 'skipped':
      return run === null || run.reason === null ? '' : (SKIP_TEXTS[run.reason] ?? '');
    case 'killed':
      return killText(finding);
  }
}

function endText({ run }: Finding): string {
  if (run === null) return '';
  if (run.state === 'lost' && !run.final) return 'may reconnect';
  const reason = run.reason === null ? undefined : FAILURE_TEXTS[run.reason];
  const parts = [
    reason,
    run.state === 'failed' && reason === undefined ? exitText(run.exit_code, run.signal) : undefined,
    run.ended_at === null
      ? undefined
      : `after ${formatDuration(Date.parse(run.ended_at) - Date.parse(run.started_at))}`,
  ];
  return parts.filter((part) => part !== undefined).join(', ');
}

function exitText(exitCode: number | null, signal: string | null): string | undefined {
  if (signal !== null) return signal;
  return exitCode === null ? undefined : `exit code ${exitCode}`;
}

function slowText({ run, usual_ms }: Finding, nowMs: number): string {
  if (run === null) return '';
  const tookMs = (run.ended_at === null ? nowMs : Date.parse(run.ended_at)) - Date.parse(run.started_at);
  const took = `${run.ended_at === null ? 'running for' : 'took'} ${formatDuration(wholeSeconds(tookMs))}`;
  return usual_ms === null
    ? `${took}, longer than expected`
    : `${took}, usually ${formatDuration(wholeSeconds(usual_ms))}`;
}

function wholeSeconds(ms: number): number {
  return ms < 1_000 ? ms : Math.floor(ms / 1_000) * 1_000;
}

function killText({ kill }: Finding): string {
  if (kill === null) return '';
  return kill.reason === null ? `by ${kill.requested_by}` : `by ${kill.requested_by}: ${kill.reason}`;
}

/** What became of a run that was late or missed, to be followed by when. */
export function arrivalText({ due_at, since, started_at }: OverdueRun): string {
  if (started_at === null) return 'not expected any more since';
  if (Date.parse(started_at) < Date.parse(since)) return 'only its report was late: it started at';
  return `came ${formatDuration(wholeSeconds(Date.parse(started_at) - Date.parse(due_at)))} late at`;
}

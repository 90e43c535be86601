/** What happened, in words. */

import type { BlockingRun } from '#protocol/admission';
import type { Run, RunEvent } from '#protocol/api';
import type { EndReason, RunState } from '#protocol/run-state';
import { formatBytes } from '#shared/format-bytes';
import { formatDuration } from '#shared/format-duration';
import { STATE_LABELS } from '../../format/run-state-labels.ts';
import { relatedText, relatedTexts } from '../../state/related.ts';
import { hasSurvivors, survivorsText } from '../../state/survivors.ts';

export const REASON_SENTENCES: Readonly<Record<EndReason, string>> = {
  exited: 'The command exited on its own.',
  signaled: 'Terminated by a signal from outside Leash.',
  local_signal: 'Stopped on the machine itself: the wrapper received a signal.',
  operator: 'Killed by an operator.',
  timeout: 'Reached its timeout.',
  idle_timeout: 'Reached its idle timeout: no output for too long.',
  memory_limit: 'Reached its memory limit.',
  cpu_limit: 'Reached its CPU time limit.',
  offline_limit: 'Stopped itself: offline longer than --max-offline allows.',
  silence: 'Contact lost: no heartbeat before the deadline.',
  wrapper_died: 'The wrapper died. Output up to that point was saved.',
  exit_unknown: 'The command ended with an unknown result: the wrapper that started it was killed.',
  start_failed: 'The command could not be started.',
  wrapper_failed: 'The wrapper itself failed.',
  overlap: 'Did not start: another run was in its way.',
  brake: 'Did not start: a brake was on.',
  maintenance: 'Did not start: maintenance.',
  unreachable: 'Did not start: the control plane could not be asked.',
};

/** The state of the command after its wrapper died: it may have ended, or still be running. */
export function orphanSentence(run: Pick<Run, 'machine' | 'pid'>): string {
  const where = run.pid === null ? run.machine : `${run.machine} (PID ${run.pid})`;
  return `The command may still be running on ${where}; Leash can’t stop it from here.`;
}

/** Whether the end was observed. Otherwise only the time of last contact is known. */
export function wasSeenToEnd(reason: EndReason | null): boolean {
  return reason !== 'silence' && reason !== 'wrapper_died';
}

/** A process, as a person would name it. */
export function processText({ pid, command_line, relation }: Run['left_running'][number]): string {
  if (relation !== undefined) return `related: ${relatedText({ pid, command_line, ...relation })}`;
  return command_line === '' ? `PID ${pid}` : `PID ${pid} ${command_line}`;
}

export interface EventText {
  readonly text: string;
  readonly detail: string | null;
  readonly tone: 'plain' | 'good' | 'bad' | 'warn' | 'kill';
}

export function eventText(event: RunEvent): EventText {
  switch (event.type) {
    case 'started':
      return plain('Started', event.pid === null ? `on ${event.machine}` : `on ${event.machine}, PID ${event.pid}`);
    case 'connected':
      return plain('Connected');
    case 'disconnected':
      return event.cause === 'closed'
        ? warn('Disconnected')
        : warn('Disconnected', 'noticed after a control plane restart');
    case 'suspected':
      return warn('Sent a health check', `no heartbeat for ${formatDuration(event.silent_ms)}`);
    case 'answered':
      return plain('Health check answered');
    case 'lost':
      return { tone: 'bad', text: 'Declared lost', detail: `no contact for ${formatDuration(event.silent_ms)}` };
    case 'returned':
      return { tone: 'good', text: 'Reconnected – still running', detail: null };
    case 'adopted':
      return warn(
        'The wrapper was killed; a successor took the run over',
        'it continues with its output, limits and kills',
      );
    case 'left_running':
      return leftRunningText(event);
    case 'leftovers_ended':
      return plain('Left running by the command, and ended', event.processes.map(processText).join(', '));
    case 'kill_requested':
      return kill(`Kill requested by ${event.requested_by}`, requestDetail(event));
    case 'kill_sent':
      return kill('Kill sent to the machine');
    case 'kill_delivered':
      return kill('Kill delivered', 'confirmed by the machine');
    case 'kill_progress':
      return progressText(event);
    case 'output_gap':
      return warn('Output gap', `${formatBytes(event.to - event.from)} missing`);
    case 'output_trimmed':
      return warn(
        'Oldest output is being trimmed',
        event.limit === 'run' ? 'the run exceeded its output limit' : 'the job exceeded its output limit',
      );
    case 'run_conflict':
      return {
        tone: 'bad',
        text: `Job ${event.job} has reported a run with the same id`,
        detail: 'Each job keeps its own run. Ids don’t repeat by accident: find out who has a token for that job.',
      };
    case 'asked':
    case 'blocked':
    case 'admitted':
    case 'skipped':
    case 'overlapped':
      return admissionText(event);
    case 'slow':
      return warn('Slow', `running for longer than ${formatDuration(event.after_ms)}`);
    case 'ended':
      return endedText(event);
  }
}

function admissionText(
  event: Extract<RunEvent, { type: 'asked' | 'blocked' | 'admitted' | 'skipped' | 'overlapped' }>,
): EventText {
  switch (event.type) {
    case 'asked':
      return plain('Asked whether it may start', `--overlap ${event.overlap}, scope ${event.scope}`);
    case 'blocked':
      return warn('Waiting', `for ${runsText(event.blocked_by)}`);
    case 'admitted':
      return plain('Allowed to start');
    case 'skipped':
      return warn(REASON_SENTENCES[event.reason], event.detail ?? (runsText(event.blocked_by) || null));
    case 'overlapped':
      return warn('Overlaps', `with ${runsText(event.runs)}`);
  }
}

const END_TONES: Readonly<Partial<Record<RunState, EventText['tone']>>> = {
  succeeded: 'good',
  killed: 'kill',
  skipped: 'warn',
};

function endedText(event: Extract<RunEvent, { type: 'ended' }>): EventText {
  if (!wasSeenToEnd(event.reason)) {
    const detail = `last seen after ${formatDuration(event.duration_ms)}; end not observed`;
    return { tone: 'bad', text: `Lost permanently, exit code ${event.exit_code}`, detail };
  }
  return {
    tone: END_TONES[event.state] ?? 'bad',
    text: `Ended: ${STATE_LABELS[event.state]}, exit code ${event.exit_code}`,
    detail: `after ${formatDuration(event.duration_ms)}`,
  };
}

function runsText(runs: readonly BlockingRun[]): string {
  return runs.map(({ run, machine }) => `run ${run} on ${machine}`).join(', ');
}

function leftRunningText({ processes }: Extract<RunEvent, { type: 'left_running' }>): EventText {
  return processes.length === 0
    ? plain('Nothing is left running')
    : warn('Left running', processes.map(processText).join(', '));
}

export function graceText(ms: number): string {
  return ms === 0 ? 'no grace period' : `${formatDuration(ms)} grace period`;
}

function requestDetail(event: Extract<RunEvent, { type: 'kill_requested' }>): string {
  const how = event.signal === 'SIGKILL' ? 'SIGKILL immediately' : `${event.signal}, ${graceText(event.grace_ms)}`;
  const what = event.include === null ? how : `${how}, including related processes`;
  return event.reason === null ? what : `${what}: “${event.reason}”`;
}

function progressText(event: Extract<RunEvent, { type: 'kill_progress' }>): EventText {
  const cause = event.kill === null ? REASON_CAUSES[event.reason] : undefined;
  const survivors = hasSurvivors(event) ? `processes survived: ${survivorsText(event)}` : null;
  const isTold = event.phase === 'gone' && event.related.length > 0;
  const related = isTold ? `related, not killed: ${relatedTexts(event.related)}` : null;
  const detail = [cause, survivors, related].filter((part) => part !== undefined && part !== null).join('; ') || null;
  switch (event.phase) {
    case 'term':
      return kill(`${event.signal ?? 'SIGTERM'} sent`, detail);
    case 'kill':
      return kill('SIGKILL sent', detail);
    case 'gone':
      return survivors === null
        ? kill('All processes ended', detail)
        : { tone: 'bad', text: 'Some processes survived', detail };
    case 'refused':
      return plain('Kill arrived after it had ended', detail);
  }
}

const REASON_CAUSES: Partial<Record<EndReason, string>> = {
  timeout: 'timeout reached',
  idle_timeout: 'no output for too long',
  offline_limit: 'offline for too long',
  local_signal: 'the wrapper received a signal on its machine',
};

function plain(text: string, detail: string | null = null): EventText {
  return { tone: 'plain', text, detail };
}

function warn(text: string, detail: string | null = null): EventText {
  return { tone: 'warn', text, detail };
}

function kill(text: string, detail: string | null = null): EventText {
  return { tone: 'kill', text, detail };
}

/** What happened, in words. */

import type { Run, RunEvent } from '#protocol/api';
import type { EndReason } from '#protocol/run-state';
import { formatBytes } from '#shared/format-bytes';
import { formatDuration } from '#shared/format-duration';
import { STATE_WORDS } from '../../format/run-state-labels.ts';
import { relatedText, relatedTexts } from '../../state/related.ts';
import { hasSurvivors, survivorsText } from '../../state/survivors.ts';

export const REASON_SENTENCES: Readonly<Record<EndReason, string>> = {
  exited: 'The command exited by itself.',
  signaled: 'A signal that nobody here sent ended it.',
  local_signal: 'Ended from its own machine: the wrapper was told to stop there.',
  operator: 'Ended by an operator’s kill.',
  timeout: 'Ended by its time limit.',
  idle_timeout: 'Ended because it printed nothing for longer than it may.',
  offline_limit: 'Ended because it was out of reach for longer than it may run unsupervised.',
  silence: 'No sign of life came within the deadline.',
  wrapper_died: 'Its wrapper died; its output ends with what had been saved by then.',
  exit_unknown: 'The command has ended, but nobody knows how: the wrapper that had started it was killed.',
  start_failed: 'The command could not be started.',
  wrapper_failed: 'The wrapper itself failed.',
};

/** What became of the command when its wrapper died; it may have been ended with it, or go on by itself. */
export function orphanSentence(run: Pick<Run, 'machine' | 'pid'>): string {
  const where = run.pid === null ? run.machine : `${run.machine} (process ${run.pid})`;
  return `Nothing here knows whether the kill still runs on ${where}, and it can’t be stopped from here.`;
}

/** Whether somebody saw it end. Of the others it is known only when they were last heard of. */
export function wasSeenToEnd(reason: EndReason | null): boolean {
  return reason !== 'silence' && reason !== 'wrapper_died';
}

/** A process, as a person would name it. */
export function processText({ pid, command_line, relation }: Run['left_running'][number]): string {
  if (relation !== undefined) return `only related: ${relatedText({ pid, command_line, ...relation })}`;
  return command_line === '' ? `pid ${pid}` : `pid ${pid} ${command_line}`;
}

export interface Telling {
  readonly text: string;
  readonly detail: string | null;
  readonly tone: 'plain' | 'good' | 'bad' | 'warn' | 'kill';
}

export function tell(event: RunEvent): Telling {
  switch (event.type) {
    case 'started':
      return plain('Started', event.pid === null ? `on ${event.machine}` : `on ${event.machine}, process ${event.pid}`);
    case 'connected':
      return plain('Connected');
    case 'disconnected':
      return event.cause === 'closed'
        ? warn('Disconnected')
        : warn('Disconnected', 'the control plane was away itself, and noticed when it was back');
    case 'suspected':
      return warn('Asked for a sign of life', `nothing heard for ${formatDuration(event.silent_ms)}`);
    case 'answered':
      return plain('Answered');
    case 'lost':
      return { tone: 'bad', text: 'Declared lost', detail: `no sign of life for ${formatDuration(event.silent_ms)}` };
    case 'returned':
      return { tone: 'good', text: 'Came back alive', detail: null };
    case 'adopted':
      return warn(
        'The wrapper was killed; another one has taken the run over',
        'it goes on, with its output, its limits and its kills',
      );
    case 'left_running':
      return tellLeft(event);
    case 'kill_requested':
      return kill(`Kill requested by ${event.requested_by}`, requestDetail(event));
    case 'kill_sent':
      return kill('Kill sent to the machine');
    case 'kill_delivered':
      return kill('Kill delivered', 'the machine has answered');
    case 'kill_progress':
      return tellProgress(event);
    case 'output_gap':
      return warn('Output is missing', formatBytes(event.to - event.from));
    case 'output_trimmed':
      return warn(
        'Older output is being removed',
        event.limit === 'run' ? 'the run printed more than is kept of one' : 'the job has more than is kept of one',
      );
    case 'run_conflict':
      return {
        tone: 'bad',
        text: `Job ${event.job} has reported a run with the same id`,
        detail:
          'Each job keeps its own run. An id is used twice only on purpose: find out who has a token for that job.',
      };
    case 'ended':
      if (!wasSeenToEnd(event.reason)) {
        const detail = `last known of after ${formatDuration(event.duration_ms)}; whether the command ended nobody saw`;
        return { tone: 'bad', text: `Lost for good, exit code ${event.exit_code}`, detail };
      }
      return {
        tone: event.state === 'succeeded' ? 'good' : event.state === 'killed' ? 'kill' : 'bad',
        text: `Ended: ${STATE_WORDS[event.state]}, exit code ${event.exit_code}`,
        detail: `after ${formatDuration(event.duration_ms)}`,
      };
  }
}

function tellLeft({ processes }: Extract<RunEvent, { type: 'left_running' }>): Telling {
  return processes.length === 0
    ? plain('Nothing is left running')
    : warn('Left running', processes.map(processText).join(', '));
}

export function graceText(ms: number): string {
  return ms === 0 ? 'no grace' : `${formatDuration(ms)} of grace`;
}

function requestDetail(event: Extract<RunEvent, { type: 'kill_requested' }>): string {
  const how = event.signal === 'SIGKILL' ? 'SIGKILL at once' : `${event.signal}, ${graceText(event.grace_ms)}`;
  const what = event.include === null ? how : `${how}, with related processes`;
  return event.reason === null ? what : `${what}: “${event.reason}”`;
}

function tellProgress(event: Extract<RunEvent, { type: 'kill_progress' }>): Telling {
  const cause = event.kill === null ? REASON_CAUSES[event.reason] : undefined;
  const survivors = hasSurvivors(event) ? `could not be ended: ${survivorsText(event)}` : null;
  const isTold = event.phase === 'gone' && event.related.length > 0;
  const related = isTold ? `not killed, but carries this run’s relation: ${relatedTexts(event.related)}` : null;
  const detail = [cause, survivors, related].filter((part) => part !== undefined && part !== null).join('; ') || null;
  switch (event.phase) {
    case 'term':
      return kill(`${event.signal ?? 'SIGTERM'} sent`, detail);
    case 'kill':
      return kill('SIGKILL sent', detail);
    case 'gone':
      return survivors === null
        ? kill('Gone: nothing of it is left', detail)
        : { tone: 'bad', text: 'Not all of it is gone', detail };
    case 'refused':
      return plain('Kill came too late: it had already ended', detail);
  }
}

const REASON_CAUSES: Partial<Record<EndReason, string>> = {
  timeout: 'its time limit was reached',
  idle_timeout: 'it printed nothing for too long',
  offline_limit: 'it was out of reach for too long',
  local_signal: 'its wrapper was told to stop on its own machine',
};

function plain(text: string, detail: string | null = null): Telling {
  return { tone: 'plain', text, detail };
}

function warn(text: string, detail: string | null = null): Telling {
  return { tone: 'warn', text, detail };
}

function kill(text: string, detail: string | null = null): Telling {
  return { tone: 'kill', text, detail };
}

/** Events of a run as text. */
import type { RunEvent } from '#protocol/api';
import { formatDuration } from '#shared/format-duration';
import type { Tone } from './reporter.ts';

export interface EventText {
  readonly text: string;
  readonly tone: Tone;
}

/** Null for what a newcomer doesn't need to know. */
export function describeEvent(event: RunEvent): EventText | null {
  switch (event.type) {
    case 'started':
      return {
        text: event.pid === null ? 'could not be started' : `started, pid ${event.pid}`,
        tone: 'plain',
      };
    case 'connected':
      return null;
    case 'disconnected':
      return { text: 'disconnected', tone: 'signal' };
    case 'suspected':
      return { text: `silent for ${formatDuration(event.silent_ms)}: probed`, tone: 'signal' };
    case 'answered':
      return { text: 'answered the probe', tone: 'plain' };
    case 'lost':
      return { text: `silent for ${formatDuration(event.silent_ms)}: declared lost`, tone: 'signal' };
    case 'returned':
      return { text: 'reconnected: it was not lost', tone: 'plain' };
    case 'adopted':
      return { text: 'its wrapper was killed; a successor has taken the run over', tone: 'signal' };
    case 'left_running':
      return { text: describeLeft(event.processes), tone: 'signal' };
    case 'kill_requested':
      return {
        text: `kill requested by ${event.requested_by}: ${event.signal}, then SIGKILL after ${formatDuration(event.grace_ms)}`,
        tone: 'signal',
      };
    case 'kill_sent':
      return { text: 'kill sent to the wrapper', tone: 'signal' };
    case 'kill_delivered':
      return { text: 'kill delivered: the wrapper has acknowledged it', tone: 'signal' };
    case 'kill_progress':
      return { text: describePhase(event), tone: 'signal' };
    case 'output_gap':
      return { text: `output from ${event.from} to ${event.to} is missing`, tone: 'signal' };
    case 'output_trimmed':
      return { text: `output limit of the ${event.limit} reached: older output was removed`, tone: 'signal' };
    case 'run_conflict':
      return { text: `the job ${event.job} has reported a run with the same id`, tone: 'signal' };
    case 'asked':
    case 'blocked':
    case 'admitted':
    case 'skipped':
    case 'overlapped':
    case 'slow':
    case 'leftovers_ended':
      // The demo's commands start without asking, nothing is expected of them, and what they leave stays.
      return null;
    case 'ended':
      return { text: `ended: ${event.state}, exit code ${event.exit_code}`, tone: 'end' };
  }
}

function describeLeft(processes: readonly { pid: number; command_line: string }[]): string {
  if (processes.length === 0) return 'nothing was left running';
  return `left running: ${processes.map(({ pid, command_line }) => `${pid} ${command_line}`).join(', ')}`;
}

type KillProgress = Extract<RunEvent, { type: 'kill_progress' }>;

function describePhase(event: KillProgress): string {
  const why = event.reason === 'timeout' ? 'time limit reached: ' : '';
  switch (event.phase) {
    case 'term':
      return `${why}sent ${event.signal ?? 'SIGTERM'} to all its processes`;
    case 'kill':
      return 'sent SIGKILL to the processes that are left';
    case 'gone':
      return describeGone(event);
    case 'refused':
      return 'it had already ended';
  }
}

function describeGone({ survivors, unnamed_survivors, related }: KillProgress): string {
  const names = [...survivors, ...(unnamed_survivors ? ['others with unknown pids'] : [])];
  const left = names.length === 0 ? 'all its processes have exited' : `still running: ${names.join(', ')}`;
  const alone = related.map(({ pid, command_line }) => `${pid} ${command_line}`).join(', ');
  return alone === '' ? left : `${left}; related, not killed: ${alone}`;
}

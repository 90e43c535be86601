/** What an event of a run is in words. */
import type { RunEvent } from '#protocol/api';
import type { Tone } from './narrator.ts';

export interface EventText {
  readonly text: string;
  readonly tone: Tone;
}

/** Null for what a newcomer need not hear. */
export function describeEvent(event: RunEvent): EventText | null {
  switch (event.type) {
    case 'started':
      return {
        text: event.pid === null ? 'never got to be a process' : `started, process ${event.pid}`,
        tone: 'plain',
      };
    case 'connected':
      return null;
    case 'disconnected':
      return { text: 'the link to the wrapper is cut', tone: 'signal' };
    case 'suspected':
      return { text: `silent for ${seconds(event.silent_ms)}: asked for a sign of life`, tone: 'signal' };
    case 'answered':
      return { text: 'answered: it lives', tone: 'plain' };
    case 'lost':
      return { text: `no sign of life for ${seconds(event.silent_ms)}: lost`, tone: 'signal' };
    case 'returned':
      return { text: 'came back alive', tone: 'plain' };
    case 'adopted':
      return { text: 'its wrapper was killed: another one has taken it over', tone: 'signal' };
    case 'left_running':
      return { text: describeLeft(event.processes), tone: 'signal' };
    case 'kill_requested':
      return {
        text: `kill requested by ${event.requested_by}: ${event.signal}, after ${seconds(event.grace_ms)} SIGKILL`,
        tone: 'signal',
      };
    case 'kill_sent':
      return { text: 'kill sent to the wrapper', tone: 'signal' };
    case 'kill_delivered':
      return { text: 'kill delivered: the wrapper has answered', tone: 'signal' };
    case 'kill_progress':
      return { text: describePhase(event), tone: 'signal' };
    case 'output_gap':
      return { text: `output from ${event.from} to ${event.to} is missing`, tone: 'signal' };
    case 'output_trimmed':
      return { text: `more output than is kept of one ${event.limit}: older output is removed`, tone: 'signal' };
    case 'run_conflict':
      return { text: `the job ${event.job} has reported a run with the same id`, tone: 'signal' };
    case 'ended':
      return { text: `ended: ${event.state}, exit code ${event.exit_code}`, tone: 'end' };
  }
}

function describeLeft(processes: readonly { pid: number; command_line: string }[]): string {
  if (processes.length === 0) return 'nothing is left running';
  return `left running: ${processes.map(({ pid, command_line }) => `${pid} ${command_line}`).join(', ')}`;
}

type KillProgress = Extract<RunEvent, { type: 'kill_progress' }>;

function describePhase(event: KillProgress): string {
  const why = event.reason === 'timeout' ? 'its time limit is over: ' : '';
  switch (event.phase) {
    case 'term':
      return `${why}${event.signal ?? 'SIGTERM'} sent to everything it has started`;
    case 'kill':
      return 'still there: SIGKILL sent to what is left';
    case 'gone':
      return describeGone(event);
    case 'refused':
      return 'it had already ended';
  }
}

function describeGone({ survivors, unnamed_survivors, related }: KillProgress): string {
  const names = [...survivors, ...(unnamed_survivors ? ['something without a known pid'] : [])];
  const left = names.length === 0 ? 'nothing is left of it' : `still there: ${names.join(', ')}`;
  const alone = related.map(({ pid, command_line }) => `${pid} ${command_line}`).join(', ');
  return alone === '' ? left : `${left}; related, not killed: ${alone}`;
}

function seconds(ms: number): string {
  return `${Number((ms / 1000).toFixed(1))} s`;
}

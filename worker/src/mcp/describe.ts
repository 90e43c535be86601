/** Runs, kills and events as lines of text. */
import type { Kill, Run, RunEvent, Target } from '#protocol/api';
import { showInvisible } from '#protocol/invisible-characters';
import { isLive } from '#protocol/run-state';
import { formatBytes } from '#shared/format-bytes';
import { formatDuration } from '#shared/format-duration';

/** A run in one line, with all that names it. A line break in a command line would make what follows look like another run. */
export function runLine(run: Run, now: number): string {
  return [
    `run=${run.id} job=${run.job} machine=${run.machine} instance=${run.instance}`,
    `state=${run.state}${run.exit_code === null ? '' : ` exit_code=${run.exit_code}`}`,
    run.state === 'waiting' ? waitText(run, now) : `started=${run.started_at} ${runTime(run, now)}`,
    ...(isLive(run.state) && !run.connected ? ['(disconnected: its wrapper is out of reach)'] : []),
    `command: ${run.command_line === '' ? '(unknown)' : showInvisible(run.command_line)}`,
  ].join(' ');
}

/** Since when it waits to be told to start, and what for. */
function waitText({ started_at, blocked_by, fence }: Run, now: number): string {
  const since = `asked=${started_at} waiting_for=${formatDuration(Math.max(0, now - Date.parse(started_at)))}`;
  if (fence !== null || blocked_by.length === 0) return since;
  return `${since} (not started: waits for ${blocked_by.map(({ run, machine }) => `run ${run} on ${machine}`).join(', ')})`;
}

/** How long it took, or has taken so far. */
function runTime({ started_at, ended_at }: Run, now: number): string {
  const ms = Math.max(0, (ended_at === null ? now : Date.parse(ended_at)) - Date.parse(started_at));
  return ended_at === null ? `running_for=${formatDuration(ms)}` : `took=${formatDuration(ms)}`;
}

export function outputSize({ output_bytes, output_total_bytes }: Run): string {
  const missing = Math.max(0, (output_total_bytes ?? output_bytes) - output_bytes);
  const stored = `${formatBytes(output_bytes)} of output are stored`;
  return missing === 0 ? `${stored}.` : `${stored}; ${formatBytes(missing)} have yet to arrive.`;
}

/** An event with all its fields: `2026-01-31T03:00:00.000Z kill_progress phase=term signal=SIGTERM`. */
export function eventLine({ id: _, at, type, ...fields }: RunEvent): string {
  const given = Object.entries(fields).filter(([, value]) => value !== null && !isEmptyList(value));
  const text = given.map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [at, type, ...text].join(' ');
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** A kill and how far it has come on each machine. */
export function killLines(kill: Kill): string[] {
  const head = `kill=${kill.id} job=${kill.job} state=${kill.state} requested_by=${kill.requested_by}`;
  return [kill.found_nothing ? `${head}: no matching run is alive` : head, ...kill.targets.map(targetLine)];
}

function targetLine(target: Target): string {
  return `  run=${target.run} machine=${target.machine}: ${targetState(target)}`;
}

function targetState({ state, signal, exit_code, survivors, unnamed_survivors }: Target): string {
  switch (state) {
    case 'pending':
      return 'not sent yet: its wrapper is not connected';
    case 'sent':
      return 'sent to its wrapper, which has not acknowledged it yet';
    case 'delivered':
      return 'its wrapper has acknowledged the kill';
    case 'term':
      return `${signal ?? 'the first signal'} was sent to all its processes`;
    case 'kill':
      return 'SIGKILL was sent to all remaining processes';
    case 'gone':
      return ended(exit_code, survivors, unnamed_survivors);
    case 'refused':
      return 'it had already ended';
    case 'lost':
      return 'its machine is out of reach; the kill is sent if it reconnects';
  }
}

function ended(exitCode: number | null, survivors: readonly number[], areOthersLeft: boolean): string {
  const code = exitCode === null ? '' : `, exit code ${exitCode}`;
  if (survivors.length === 0 && !areOthersLeft) return `all its processes have exited${code}`;
  const others = areOthersLeft ? ' and others with unknown pids' : '';
  const which = survivors.length === 0 ? 'processes with unknown pids' : `pid ${survivors.join(', ')}${others}`;
  return `ended${code}, but ${which} could not be ended and still run`;
}

/**
 * What has happened to a run, or has not happened by a kill, that alerts may be about: read from what is stored of it, so the
 * object writes nothing for it. Pure: derived again, it is the same, with the same ids.
 */
import type { Occurrence } from '#protocol/alerts';
import type { Kill, Target } from '#protocol/api';
import type { EndReason } from '#protocol/run-state';
import { formatDuration } from '#shared/format-duration';
import { aboutFields, OF_NO_RUN } from '../../shared/occurrence-parts.ts';
import { hasLeftProcesses, type RunRecord } from './run-store.ts';

/** Who killed a run, and why. */
export type KilledBy = Pick<Kill, 'requested_by' | 'reason'>;

/** How many processes or machines a sentence names. */
const NAMED = 3;
const MAX_COMMAND_CHARS = 60;

/** @param killedBy null: unknown, or nobody did */
export function runOccurrences(job: string, run: RunRecord, killedBy: KilledBy | null): Occurrence[] {
  return [slow(job, run), end(job, run, killedBy), leftovers(job, run), returned(job, run)].filter(
    (occurrence) => occurrence !== null,
  );
}

/** @param runOf the run with an id, if it is stored */
export function killOccurrences(kill: Kill, runOf: (id: string) => RunRecord | null): Occurrence[] {
  if (kill.state === 'expired' && kill.targets.length === 0) return [expired(kill)];
  // Of thousands of targets, only the runs of those that went wrong are read.
  return kill.targets.filter(isUnfulfilled).flatMap((target) => {
    const run = runOf(target.run);
    return run === null ? [] : [targetOccurrence(kill, target, run)];
  });
}

function slow(job: string, run: RunRecord): Occurrence | null {
  if (run.slowSince === null) return null;
  const durationMs = run.slowSince - run.startedAt;
  const summary = `takes longer than expected: more than ${formatDuration(durationMs)}`;
  return { ...ofRun(job, run), id: `${run.id}:slow`, kind: 'slow', at: run.slowSince, summary, durationMs };
}

function end(job: string, run: RunRecord, killedBy: KilledBy | null): Occurrence | null {
  const { state, endedAt } = run;
  if (endedAt === null) return null;
  const durationMs = Math.max(0, endedAt - run.startedAt);
  const common = { ...ofRun(job, run), at: endedAt, exitCode: run.exitCode, durationMs };
  const after = `after ${formatDuration(durationMs)}`;
  switch (state) {
    case 'waiting':
    case 'running':
    case 'killing':
      return null;
    case 'succeeded':
      return { ...common, id: `${run.id}:fine`, kind: 'fine', summary: `succeeded ${after}`, isAlive: false };
    case 'lost':
      // A run that is lost, returns and is lost again is lost twice.
      return { ...common, id: `${run.id}:lost:${run.returnedAt ?? 0}`, kind: 'lost', summary: `lost ${after}` };
    case 'killed':
      return { ...common, id: `${run.id}:killed`, kind: 'killed', summary: `killed${byWhom(killedBy)} ${after}` };
    case 'skipped':
      // Whoever set the brake, or maintenance, wanted that.
      if (run.reason === 'brake' || run.reason === 'maintenance') return null;
      return { ...common, id: `${run.id}:skipped`, kind: 'skipped', summary: whySkipped(run), durationMs: null };
    case 'failed':
    case 'timed_out':
    case 'errored':
      return { ...common, id: `${run.id}:${state}`, kind: state, summary: `${whyEnded(run)} ${after}` };
  }
}

function leftovers(job: string, run: RunRecord): Occurrence | null {
  if (run.endedAt === null || !hasLeftProcesses(run)) return null;
  const count = run.leftRunning.length;
  const named = run.leftRunning.slice(0, NAMED).map(({ pid, command_line }) => `${short(command_line)} (pid ${pid})`);
  const rest = count > NAMED ? ` and ${count - NAMED} more` : '';
  const summary = `left ${count === 1 ? 'a process' : `${count} processes`} running: ${named.join(', ')}${rest}`;
  return { ...ofRun(job, run), id: `${run.id}:leftovers`, kind: 'leftovers', at: run.endedAt, summary };
}

/** A lost run that is back: it may still fail, but it is not lost any more. */
function returned(job: string, run: RunRecord): Occurrence | null {
  if (run.returnedAt === null || run.endedAt !== null) return null;
  const id = `${run.id}:returned:${run.returnedAt}`;
  return { ...ofRun(job, run), id, kind: 'fine', at: run.returnedAt, summary: 'has reconnected and is running' };
}

function isUnfulfilled({ state, survivors, unnamed_survivors: hasUnnamed }: Target): boolean {
  return state === 'lost' || (state === 'gone' && (survivors.length > 0 || hasUnnamed));
}

function targetOccurrence(kill: Kill, target: Target, run: RunRecord): Occurrence {
  const common = { ...ofRun(kill.job, run), at: Date.parse(kill.requested_at) };
  if (target.state === 'gone') {
    const named = target.survivors.length;
    const which = named === 0 ? 'Processes' : `${named} ${named === 1 ? 'process' : 'processes'}`;
    const pids =
      named === 0 ? '' : ` (pid ${target.survivors.slice(0, NAMED).join(', ')}${named > NAMED ? ', …' : ''})`;
    const summary = `${which} survived the kill${byWhom(kill)}${pids}`;
    return { ...common, id: `${kill.id}:${run.id}:survivors`, kind: 'survivors', summary };
  }
  const summary = `the kill${byWhom(kill)} was not answered; it is carried out if the run reconnects`;
  return { ...common, id: `${kill.id}:${run.id}:unanswered`, kind: 'kill_unanswered', summary };
}

/** A kill that found no run in its time. */
function expired(kill: Kill): Occurrence {
  const { id, job, run } = kill;
  const isOneMachine = kill.machine !== null && !/[*,]/.test(kill.machine);
  return {
    ...OF_NO_RUN,
    ...aboutFields(null),
    id: `${id}:unanswered`,
    kind: 'kill_unanswered',
    at: Date.parse(kill.expires_at),
    job,
    machine: isOneMachine ? kill.machine : null,
    run,
    summary: `the kill${byWhom(kill)} has expired: no matching run connected in time`,
  };
}

function ofRun(job: string, run: RunRecord) {
  return {
    ...aboutFields(run.about),
    job,
    machine: run.machine,
    run: run.id,
    exitCode: null,
    durationMs: null,
    isAlive: !run.final || hasLeftProcesses(run),
  };
}

function whyEnded({ reason, exitCode, signal }: RunRecord): string {
  return END_TEXTS[reason ?? 'exited'] ?? (signal === null ? `exit code ${exitCode}` : `ended by ${signal}`);
}

const END_TEXTS: Partial<Record<EndReason, string>> = {
  timeout: 'timed out',
  idle_timeout: 'timed out without output',
  memory_limit: 'exceeded its memory limit',
  cpu_limit: 'exceeded its limit of CPU time',
  exit_unknown: 'ended with an unknown exit code',
  start_failed: 'could not be started',
  wrapper_failed: 'ended because leash itself failed',
};

function whySkipped({ reason, blockedBy }: RunRecord): string {
  if (reason === 'unreachable') return 'not started: the control plane could not be asked';
  const machines = [...new Set(blockedBy.map(({ machine }) => machine))].slice(0, NAMED).join(', ');
  return `not started: another run was in its way${machines === '' ? '' : `, on ${machines}`}`;
}

function byWhom(kill: KilledBy | null): string {
  if (kill === null) return '';
  return ` by ${kill.requested_by}${kill.reason === null ? '' : ` (${kill.reason})`}`;
}

function short(commandLine: string): string {
  return commandLine.length > MAX_COMMAND_CHARS ? `${commandLine.slice(0, MAX_COMMAND_CHARS - 1)}…` : commandLine;
}

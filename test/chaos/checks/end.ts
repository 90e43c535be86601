/** One end each, and the true one: compared with what the command wrote down itself, and with what was done to it. */
import { constants } from 'node:os';
import { EXIT_ERRORED, EXIT_KILLED, EXIT_SKIPPED } from '#protocol/run-state';
import type { Brakes } from '../brakes.ts';
import type { ReportedRun } from '../reported-run.ts';
import type { RoundLog } from '../round-log.ts';

export function checkEnd(reported: ReportedRun, brakes: Brakes, log: RoundLog): void {
  const { run, now, events } = reported;
  const fail = (what: string) => log.fail(`${run.name}: ${what}`);
  const ends = events.filter(({ type }) => type === 'ended');
  if (ends.length !== (now.final ? 1 : 0)) fail(`it has ended ${ends.length} times: ${JSON.stringify(ends)}`);
  for (const end of ends) {
    if (
      end.type === 'ended' &&
      (end.state !== now.state || end.exit_code !== now.exit_code || end.reason !== now.reason)
    )
      fail(`its last end ${describe(now)} is not that of its events, ${describe(end)}`);
  }
  const why = now.state === 'skipped' ? whyNotSkipped(reported, brakes) : whyUntrue(reported);
  if (why !== null) fail(`${describe(now)}: ${why}; it wrote down ${JSON.stringify(run.notes)}`);
}

/** What `leash run` itself has exited with, where nobody killed it. */
export async function checkOwnExit({ run, now }: ReportedRun, log: RoundLog): Promise<void> {
  if (run.wrapperWasKilled || run.couldNotBeKept) return;
  const { code, signal } = await run.wrapper.exit;
  if (code !== now.exit_code) {
    log.fail(`${run.name}: leash run has exited with ${signal ?? code}, and the run is ${describe(now)}`);
  }
}

function describe({
  state,
  exit_code,
  reason,
}: {
  state: string;
  exit_code: number | null;
  reason: string | null;
}): string {
  return `${state} (${exit_code}, ${reason})`;
}

/** Null for an end that is true. */
function whyUntrue(reported: ReportedRun): string | null {
  const { run, now } = reported;
  const { exit, signal } = run.notes;
  switch (now.reason) {
    case 'silence':
      return run.diedAsking ? null : 'its wrapper was not killed before it had started the command';
    case 'exited':
      if (now.exit_code !== exit) return 'it was about to exit with another code';
      return now.state === (exit === 0 ? 'succeeded' : 'failed') ? null : 'the state does not go with the code';
    case 'signaled': {
      if (now.signal === null || (now.signal !== signal && now.signal !== run.strayTo))
        return `${now.signal} was never sent`;
      return now.exit_code === 128 + signalNumber(now.signal) && now.state === 'failed'
        ? null
        : 'the code is not that of the signal';
    }
    case 'operator':
      return whyNotKilled(reported);
    case 'wrapper_died':
      return run.couldNotBeKept ? null : 'its wrapper has reported its end, or kept it';
    case 'exit_unknown':
      if (!run.wrapperWasKilled && !run.couldNotBeKept) return 'its wrapper was not killed';
      return now.exit_code === EXIT_ERRORED && now.state === 'errored'
        ? null
        : 'it is reported with another state or code';
    default:
      return 'nothing that was done to it explains that';
  }
}

/** Null for a run that a kill has ended. */
function whyNotKilled({ run, now, events }: ReportedRun): string | null {
  const { exit, trapped } = run.notes;
  // After a link broke only the last step is reported; none if the run counted as lost by then.
  const wasSignalled = events.some(
    (event) =>
      event.type === 'lost' || (event.type === 'kill_progress' && event.kill !== null && event.phase !== 'refused'),
  );
  if (!wasSignalled) return 'no kill got to it';
  if (now.exit_code !== EXIT_KILLED || now.state !== 'killed')
    return 'a killed run is reported with another state or code';
  const isOwnCode = now.command_exit_code === null || [exit, trapped].includes(now.command_exit_code);
  return isOwnCode ? null : `the command did not exit with ${now.command_exit_code}`;
}

/** Null for a run that was rightly not started. */
function whyNotSkipped({ run: { plan, notes, machine }, now }: ReportedRun, brakes: Brakes): string | null {
  const { asking } = plan;
  if (asking === null) return 'it did not ask';
  if (notes.pid !== null) return 'its command was started';
  if (now.exit_code !== EXIT_SKIPPED) return `it is reported with the exit code ${now.exit_code}`;
  switch (now.reason) {
    case 'overlap':
      if (asking.overlap !== 'skip' && asking.waitTimeoutMs === null) return 'it was to wait';
      if (now.blocked_by.length === 0) return 'nothing was in its way';
      return asking.scope === 'job' || now.blocked_by.every((other) => other.machine === machine.name)
        ? null
        : 'what was in its way runs elsewhere';
    case 'brake':
    case 'maintenance':
      return brakes.explain(now) ? null : 'no order was for it';
    case 'unreachable':
      return asking.ifUnreachable === 'skip' ? null : 'it was to run without an answer';
    default:
      return 'nothing that was done to it explains that';
  }
}

function signalNumber(name: string): number {
  const known = Object.entries(constants.signals).find(([signal]) => signal === name);
  return known?.[1] ?? Number.NaN;
}

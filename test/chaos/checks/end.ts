/** One end each, and the true one: compared with what the command wrote down itself, and with what was done to it. */
import { constants } from 'node:os';
import { EXIT_ERRORED, EXIT_KILLED } from '#protocol/run-state';
import type { Story } from '../story.ts';
import type { ToldRun } from '../told.ts';

export function checkEnd(told: ToldRun, story: Story): void {
  const { run, now, events } = told;
  const complain = (what: string) => story.complain(`${run.name}: ${what}`);
  const ends = events.filter(({ type }) => type === 'ended');
  if (ends.length !== 1) complain(`it has ended ${ends.length} times: ${JSON.stringify(ends)}`);
  for (const end of ends) {
    if (
      end.type === 'ended' &&
      (end.state !== now.state || end.exit_code !== now.exit_code || end.reason !== now.reason)
    )
      complain(`its last end ${describe(now)} is not that of its story, ${describe(end)}`);
  }
  const why = whyUntrue(told);
  if (why !== null) complain(`${describe(now)}: ${why}; it wrote down ${JSON.stringify(run.notes)}`);
}

/** What `leash run` itself has exited with, where nobody killed it. */
export async function checkOwnExit({ run, now }: ToldRun, story: Story): Promise<void> {
  if (run.wrapperWasKilled || run.couldNotBeKept) return;
  const { code, signal } = await run.wrapper.exit;
  if (code !== now.exit_code) {
    story.complain(`${run.name}: leash run has exited with ${signal ?? code}, and the run is ${describe(now)}`);
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
function whyUntrue({ run, now, events }: ToldRun): string | null {
  const { exit, trapped, signal } = run.notes;
  switch (now.reason) {
    case 'exited':
      if (now.exit_code !== exit) return 'it was about to exit with another code';
      return now.state === (exit === 0 ? 'succeeded' : 'failed') ? null : 'the state does not go with the code';
    case 'signaled': {
      if (now.signal === null || (now.signal !== signal && now.signal !== run.strayTo))
        return `nobody sent ${now.signal}`;
      return now.exit_code === 128 + signalNumber(now.signal) && now.state === 'failed'
        ? null
        : 'the code is not that of the signal';
    }
    case 'operator': {
      // Of the steps of a link that broke only the last one is told afterwards; where the run counted as lost by then, none.
      const wasSignalled = events.some(
        (event) =>
          event.type === 'lost' || (event.type === 'kill_progress' && event.kill !== null && event.phase !== 'refused'),
      );
      if (!wasSignalled) return 'no kill got to it';
      if (now.exit_code !== EXIT_KILLED || now.state !== 'killed') return 'that is not how a killed run is told';
      const isOwnCode = now.command_exit_code === null || [exit, trapped].includes(now.command_exit_code);
      return isOwnCode ? null : `the command did not exit with ${now.command_exit_code}`;
    }
    case 'wrapper_died':
      return run.couldNotBeKept ? null : 'its wrapper has told its end, or kept it';
    case 'exit_unknown':
      if (!run.wrapperWasKilled && !run.couldNotBeKept) return 'its wrapper was not killed';
      return now.exit_code === EXIT_ERRORED && now.state === 'errored' ? null : 'that is not how it is told';
    default:
      return 'nothing that was done to it explains that';
  }
}

function signalNumber(name: string): number {
  const known = Object.entries(constants.signals).find(([signal]) => signal === name);
  return known?.[1] ?? Number.NaN;
}

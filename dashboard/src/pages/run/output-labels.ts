/** The texts of the output's pane. */

import type { Run, RunEvent } from '#protocol/api';
import { type EndReason, isLive } from '#protocol/run-state';
import { formatBytes } from '#shared/format-bytes';
import type { Matches } from '../../output/terminal-search.ts';

/** Which part of the output is loaded; how much of it is visible depends on what was printed. */
export function loadedText(start: number, end: number, total: number): string {
  if (start === 0 && end >= total) return 'Complete output';
  if (end >= total) return `Last ${formatBytes(total - start)} of ${formatBytes(total)}`;
  return `${formatBytes(start)} to ${formatBytes(end)} of ${formatBytes(total)}`;
}

/** The position that the reader is about to go to, or else what is shown. */
export function positionText(
  run: Run,
  loaded: { readonly start: number; readonly next: number },
  goal: number | null,
  total: number,
): string {
  if (goal !== null) return aimText(goal, total);
  if (total === 0) return noOutputText(run);
  const owed = owedBytes(run, total);
  if (owed === 0) return loadedText(loaded.start, loaded.next, total);
  const isAll = loaded.start === 0 && loaded.next >= total;
  const text = isAll ? `All ${formatBytes(total)} received so far` : loadedText(loaded.start, loaded.next, total);
  return `${text}; ${formatBytes(owed)} more ${owed === 1 ? 'is' : 'are'} still on the machine`;
}

/** Where the reader is about to be. */
export function aimText(offset: number, total: number): string {
  return offset >= total ? 'To the end' : `To ${formatBytes(offset)} of ${formatBytes(total)}`;
}

/** The events of missing bytes. */
export function gapEvents(events: readonly RunEvent[]) {
  return events.filter((event) => event.type === 'output_gap' || event.type === 'output_trimmed');
}

/** What the stored output lacks; null when nothing is known to be missing. */
export function missingText(events: readonly RunEvent[]): string | null {
  let bytes = 0;
  let isTrimmed = false;
  for (const event of gapEvents(events)) {
    if (event.type === 'output_gap') bytes += event.to - event.from;
    else isTrimmed = true;
  }
  if (isTrimmed) return 'Truncated – see events';
  return bytes === 0 ? null : `${formatBytes(bytes)} missing – see events`;
}

/** What was copied, when nothing was selected. */
export function copiedText(start: number, end: number, total: number): string {
  if (start === 0 && end >= total) return 'Copied all';
  return `Copied the loaded part (${formatBytes(end - start)} of ${formatBytes(total)})`;
}

export function matchesText(matches: Matches | null): string {
  if (matches === null || matches.count === 0) return 'No matches';
  const count = `${matches.count}${matches.isMore ? '+' : ''}`;
  return matches.current === 0 ? `${count} found` : `${matches.current} of ${count}`;
}

/** The file name for a download of the whole output. */
export function fileName(run: Pick<Run, 'job' | 'machine' | 'id'>): string {
  return `${run.job}-${run.machine}-${run.id}.log`;
}

/** Output that the wrapper has reported and not delivered yet: it may be uploaded long after the end. */
function owedBytes(run: Run, total: number): number {
  return Math.max(0, (run.output_total_bytes ?? 0) - total);
}

/**
 * The text for a run without output. Only a wrapper that read all of the output, from start to end, knows that the run
 * printed nothing.
 */
export function noOutputText(run: Run): string {
  const owed = owedBytes(run, 0);
  if (owed > 0)
    return `No output received yet: ${formatBytes(owed)} ${owed === 1 ? 'is' : 'are'} still on the machine.`;
  if (isLive(run.state)) return noOutputYetText(run);
  const sentence = NO_OUTPUT_SENTENCES[run.reason ?? 'silence'];
  if (sentence !== PRINTED_NOTHING) return sentence;
  if (run.successor > 0) return WRAPPER_KILLED;
  return run.output_total_bytes === null ? 'No output received.' : sentence;
}

function noOutputYetText({ state, connected, successor }: Run): string {
  if (state === 'waiting') return 'No output: the command has not started yet.';
  if (!connected) return 'No output received before it disconnected; output is buffered on the machine.';
  const killed = successor === 0 ? '' : ' Its first wrapper was killed; output it had not saved is lost.';
  return `No output yet.${killed}`;
}

const PRINTED_NOTHING = 'No output.';
const NOT_STARTED = 'No output: the command did not start.';
const WRAPPER_KILLED = 'No output was saved: a wrapper of this run was killed. The command may have printed something.';

const NO_OUTPUT_SENTENCES: Readonly<Record<EndReason, string>> = {
  exited: PRINTED_NOTHING,
  signaled: PRINTED_NOTHING,
  local_signal: PRINTED_NOTHING,
  operator: PRINTED_NOTHING,
  timeout: PRINTED_NOTHING,
  idle_timeout: PRINTED_NOTHING,
  memory_limit: PRINTED_NOTHING,
  cpu_limit: PRINTED_NOTHING,
  offline_limit: PRINTED_NOTHING,
  silence: 'No output received before contact was lost. It may have printed something since.',
  wrapper_died: 'No output was saved before the wrapper died. The command may have printed something.',
  exit_unknown: WRAPPER_KILLED,
  start_failed: NOT_STARTED,
  overlap: NOT_STARTED,
  brake: NOT_STARTED,
  maintenance: NOT_STARTED,
  unreachable: NOT_STARTED,
  wrapper_failed: 'No output was saved: the wrapper failed. The command may have printed something.',
};
